from __future__ import annotations

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
import trio
import trio.testing

from paxos.transport import KNOCK, Address, UdpTransport, UnreliableTransport, open_udp, resolve
from paxos.transport.base import MAX_DRAIN
from paxos.transport.udp import MAX_STRANGERS


@pytest.fixture
async def two() -> AsyncIterator[tuple[UdpTransport, UdpTransport]]:
    with await open_udp("127.0.0.1", 0) as one, await open_udp("127.0.0.1", 0) as other:
        yield one, other


@pytest.fixture
def closed_port() -> tuple[str, int]:
    """An address of this machine at which nobody listens, while the test lasts."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        host, port = taken.getsockname()
    return host, port


async def receive(transport: UnreliableTransport) -> list[tuple[bytes, Address]]:
    with trio.fail_after(5):
        return await transport.receive()


async def test_a_datagram_arrives_with_the_address_of_its_source(
    two: tuple[UdpTransport, UdpTransport],
) -> None:
    one, other = two
    one.send(other.address, b"hello")
    assert await receive(other) == [(b"hello", one.address)]
    assert one.statistics()["sent"] == other.statistics()["received"] == 1


async def test_all_that_is_there_arrives_in_one_drain(
    two: tuple[UdpTransport, UdpTransport],
) -> None:
    one, other = two
    for number in range(50):
        one.send(other.address, bytes([number]))
    assert [datagram[0] for datagram, _ in await receive(other)] == list(range(50))


async def test_a_drain_is_bounded(two: tuple[UdpTransport, UdpTransport]) -> None:
    one, other = two
    for _ in range(MAX_DRAIN + 5):
        one.send(other.address, b"x")
    assert len(await receive(other)) == MAX_DRAIN
    assert len(await receive(other)) == 5


async def test_ipv6_works_as_ipv4_does() -> None:
    try:
        one = await open_udp("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with one, await open_udp("::1", 0) as other:
        one.send(other.address, b"hello")
        assert await receive(other) == [(b"hello", one.address)]
        assert await one.resolve("::1", 7) == ("::1", 7, 0, 0)


async def test_a_datagram_beyond_what_udp_carries_is_lost_and_counted(
    two: tuple[UdpTransport, UdpTransport],
) -> None:
    one, other = two
    one.send(other.address, bytes(70_000))
    assert one.statistics()["send_emsgsize"] == 1
    assert one.statistics()["sent"] == 0


async def test_a_datagram_longer_than_agreed_is_dropped_and_counted() -> None:
    with await open_udp("127.0.0.1", 0) as one, await open_udp("127.0.0.1", 0, 100) as other:
        for length in (101, 100, 60_000, 99):
            one.send(other.address, bytes(length))
        assert [len(datagram) for datagram, _ in await receive(other)] == [100, 99]
        assert other.statistics()["receive_truncated"] == 2


async def test_a_refusal_is_counted_and_survived(closed_port: tuple[str, int]) -> None:
    # Only a connected socket hears of refusals without being asked to listen for them.
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    sock.connect(closed_port)
    with UdpTransport(sock) as transport:
        transport.send(closed_port, b"anybody?")
        with trio.move_on_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(transport.receive)
                while not transport.statistics().get("receive_econnrefused"):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        assert transport.statistics()["receive_econnrefused"] == 1


class FailingSocket(socket.socket):
    error: OSError = OSError()

    def sendto(self, *_: object) -> int:
        raise self.error


@pytest.mark.parametrize(
    ("error", "counter"),
    [
        (BlockingIOError(errno.EAGAIN, ""), "send_full"),
        (OSError(errno.ENOBUFS, ""), "send_enobufs"),
        (OSError(errno.ENETUNREACH, ""), "send_enetunreach"),
        (PermissionError(errno.EPERM, ""), "send_eperm"),
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), "send_econnrefused"),
        (OSError("no number"), "send_error"),
    ],
)
async def test_what_the_system_refuses_to_send_is_loss(error: OSError, counter: str) -> None:
    sock = FailingSocket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.error = error
    with UdpTransport(sock) as transport:
        transport.send(("127.0.0.1", 9), b"x")
        assert transport.statistics()[counter] == 1
        assert transport.statistics()["sent"] == 0


async def test_a_taken_port_is_an_error_that_leaks_no_socket() -> None:
    with await open_udp("127.0.0.1", 0) as one:
        port = one.address[1]
        with pytest.raises(OSError, match="in use"):
            await open_udp("127.0.0.1", port)


async def test_a_name_that_is_none_is_an_error() -> None:
    with pytest.raises(OSError, match=r"."):
        await resolve("name with spaces.invalid", 1)


async def test_a_host_is_resolved_in_the_family_of_the_socket(
    two: tuple[UdpTransport, UdpTransport],
) -> None:
    assert await two[0].resolve("localhost", 7) == ("127.0.0.1", 7)


async def test_no_child_process_inherits_the_port(two: tuple[UdpTransport, UdpTransport]) -> None:
    assert not two[0]._socket.get_inheritable()


async def test_closing_wakes_the_receiver_and_is_harmless_twice() -> None:
    transport = await open_udp("127.0.0.1", 0)

    async def wait() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await transport.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        transport.close()
        transport.close()
    with pytest.raises(trio.ClosedResourceError):
        transport.send(("127.0.0.1", 9), b"x")
    await wait()


async def test_udp_is_an_unreliable_transport(two: tuple[UdpTransport, UdpTransport]) -> None:
    transport: UnreliableTransport = two[0]
    assert transport.address[0] == "127.0.0.1"


async def drain(transport: UdpTransport, seconds: float = 0.1) -> list[tuple[bytes, Address]]:
    """Receive until nothing has come for some time."""
    found: list[tuple[bytes, Address]] = []
    while True:
        with trio.move_on_after(seconds) as waiting:
            found += await transport.receive()
        if waiting.cancelled_caught:
            return found


async def test_a_flood_displaces_nothing_of_a_source_that_has_a_queue_of_its_own(
    two: tuple[UdpTransport, UdpTransport],
) -> None:
    one, other = two
    other.favour([one.address])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(50_000):  # more than any buffer of the system holds
            stranger.sendto(b"flood", other.address)
        for number in range(100):
            one.send(other.address, bytes([number]))
        first = await receive(other)
        assert [datagram[0] for datagram, source in first if source == one.address] == list(
            range(100)
        )
        assert len(first) <= 100 + MAX_STRANGERS
        rest = await drain(other)
        assert 0 < len(rest) < 50_000


async def test_strangers_are_heard_beside_those_who_have_a_queue_of_their_own(
    two: tuple[UdpTransport, UdpTransport],
) -> None:
    one, other = two
    other.favour([("127.0.0.1", 9)])
    one.send(other.address, b"hello")
    assert await receive(other) == [(b"hello", one.address)]


async def test_a_burst_of_strangers_is_taken_bit_by_bit(
    two: tuple[UdpTransport, UdpTransport],
) -> None:
    one, other = two
    other.favour([("127.0.0.1", 9)])
    for _ in range(MAX_STRANGERS + 5):
        one.send(other.address, b"x")
    assert len(await receive(other)) == MAX_STRANGERS
    assert len(await receive(other)) == 5


async def test_queues_follow_a_change_of_addresses(
    two: tuple[UdpTransport, UdpTransport],
) -> None:
    one, other = two
    for addresses in ([one.address], [("127.0.0.1", 9)], [], [one.address]):
        other.favour(addresses)
        one.send(other.address, b"hello")
        assert await receive(other) == [(b"hello", one.address)]


async def test_a_port_stays_for_one_transport_alone(
    two: tuple[UdpTransport, UdpTransport],
) -> None:
    one, other = two
    other.favour([one.address, ("127.0.0.1", 9)])
    host, port = other.address[:2]
    with pytest.raises(OSError, match="in use"):
        await open_udp(str(host), port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            thief.bind((host, port))


async def test_refusal_ends_the_wait_and_tells_who_refused(closed_port: tuple[str, int]) -> None:
    with await open_udp("127.0.0.1", 0) as transport, trio.fail_after(5):
        transport.favour([closed_port])
        transport.send(closed_port, b"anybody there?")
        assert await transport.receive() == []
        assert transport.refusals() == [closed_port]
        assert transport.refusals() == []
        assert transport.statistics()["refused"] == 1


async def test_refusal_of_one_peer_loses_nothing_that_is_sent_to_another(
    two: tuple[UdpTransport, UdpTransport], closed_port: tuple[str, int]
) -> None:
    one, other = two
    one.favour([closed_port, other.address])
    with trio.fail_after(5):
        for _ in range(10):
            one.send(closed_port, b"anybody there?")
            one.send(other.address, b"hello")
        heard: list[bytes] = []
        while len(heard) < 10:
            heard += [datagram for datagram, _ in await other.receive()]
        assert heard == [b"hello"] * 10


async def test_every_peer_has_a_queue_of_its_own_and_tells_of_its_refusals() -> None:
    """Four peers, of whom two have gone; those that live keep their queues."""
    with ExitStack() as stack:
        one, *peers = [stack.enter_context(await open_udp("127.0.0.1", 0)) for _ in range(5)]
        one.favour([peer.address for peer in peers[:2]])
        one.favour([peer.address for peer in peers])
        assert "favour_eaddrinuse" not in one.statistics()
        for peer in peers[:2]:
            peer.close()
        for peer in peers:
            one.send(peer.address, b"anybody there?")
        refused: set[Address] = set()
        with trio.fail_after(5):
            while len(refused) < 2:
                await one.receive()
                refused.update(one.refusals())
        assert refused == {peer.address for peer in peers[:2]}


async def test_refusal_that_was_heard_does_not_wake_again(closed_port: tuple[str, int]) -> None:
    with await open_udp("127.0.0.1", 0) as transport:
        transport.favour([closed_port])
        transport.send(closed_port, b"anybody there?")
        assert await transport.receive() == []
        assert transport.refusals()
        with trio.move_on_after(0.05) as patience:
            await transport.receive()
        assert patience.cancelled_caught


async def test_knock_is_dropped_and_only_a_refusal_of_it_is_heard(
    two: tuple[UdpTransport, UdpTransport], closed_port: tuple[str, int]
) -> None:
    one, other = two
    one.send(other.address, KNOCK)
    one.send(other.address, b"hello")
    assert await receive(other) == [(b"hello", one.address)]
    assert other.statistics()["knocks"] == 1
    one.favour([closed_port])
    one.send(closed_port, KNOCK)
    assert await receive(one) == []
    assert one.refusals() == [closed_port]
