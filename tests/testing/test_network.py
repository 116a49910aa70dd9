from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from paxos.testing import Faults, MemoryTransport, Network
from paxos.testing import network as module
from paxos.transport import UnreliableTransport

ONE = ("node1", 1)
OTHER = ("node2", 1)


async def arrivals(transport: MemoryTransport, seconds: float) -> list[tuple[float, bytes]]:
    """Return what arrives within that time, and when."""
    start = trio.current_time()
    result = []
    with trio.move_on_after(seconds):
        while True:
            for datagram, _ in await transport.receive():
                result.append((round(trio.current_time() - start, 9), datagram))
    return result


async def run(seed: int, faults: Faults, count: int) -> list[tuple[float, bytes]]:
    """Send that many datagrams, numbered from 0, a millisecond apart."""
    network = Network(seed, faults)
    one, other = network.open(ONE), network.open(OTHER)

    async def send() -> None:
        for number in range(count):
            one.send(OTHER, bytes([number]))
            await trio.sleep(0.001)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.deliver)
        nursery.start_soon(send)
        result = await arrivals(other, 10)
        nursery.cancel_scope.cancel()
    return result


def numbers(result: list[tuple[float, bytes]]) -> list[int]:
    return [datagram[0] for _, datagram in result]


async def test_a_datagram_arrives_after_its_delay_with_its_source(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    network = Network(1, Faults(shortest=0.25, longest=0.25))
    one, other = network.open(ONE), network.open(OTHER)
    nursery.start_soon(network.deliver)
    start = trio.current_time()
    one.send(OTHER, b"hello")
    assert await other.receive() == [(b"hello", ONE)]
    assert trio.current_time() - start == pytest.approx(0.25)


async def test_equal_delays_keep_the_order(autojump_clock: MockClock) -> None:
    assert numbers(await run(1, Faults(), 100)) == list(range(100))


async def test_unequal_delays_reorder(autojump_clock: MockClock) -> None:
    arrived = numbers(await run(1, Faults(shortest=0, longest=0.05), 100))
    assert sorted(arrived) == list(range(100))
    assert arrived != list(range(100))


async def test_about_as_many_are_lost_as_asked(autojump_clock: MockClock) -> None:
    assert 50 < len(await run(1, Faults(loss=0.3), 100)) < 90


async def test_about_as_many_are_doubled_as_asked(autojump_clock: MockClock) -> None:
    arrived = numbers(await run(1, Faults(duplication=0.3), 100))
    assert set(arrived) == set(range(100))
    assert 110 < len(arrived) < 150


async def test_one_seed_is_one_history_and_another_seed_another(autojump_clock: MockClock) -> None:
    faults = Faults(shortest=0.001, longest=0.02, loss=0.2, duplication=0.2)
    first = await run(5, faults, 60)
    assert await run(5, faults, 60) == first
    assert await run(6, faults, 60) != first


async def test_what_happens_on_one_link_changes_nothing_on_another(
    autojump_clock: MockClock,
) -> None:
    faults = Faults(shortest=0.001, longest=0.02, loss=0.3)

    async def history(chatter: int) -> list[tuple[float, bytes]]:
        network = Network(5, faults)
        one, other, third = (network.open((name, 1)) for name in ("a", "b", "c"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(network.deliver)
            for number in range(50):
                for _ in range(chatter):
                    third.send(other.address, b"chatter")
                one.send(other.address, bytes([number]))
            result = await arrivals(other, 1)
            nursery.cancel_scope.cancel()
        return [one for one in result if one[1] != b"chatter"]

    assert await history(0) == await history(3)


async def test_a_cut_is_one_way_and_heals(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    network = Network(1)
    one, other = network.open(ONE), network.open(OTHER)
    nursery.start_soon(network.deliver)
    network.cut(ONE, OTHER)
    one.send(OTHER, b"lost")
    other.send(ONE, b"back")
    assert await one.receive() == [(b"back", OTHER)]
    network.heal()
    one.send(OTHER, b"there")
    assert await other.receive() == [(b"there", ONE)]
    assert one.statistics()["cut"] == 1


async def test_the_faults_of_one_link_can_differ(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    network = Network(1)
    one, other = network.open(ONE), network.open(OTHER)
    nursery.start_soon(network.deliver)
    network.set_faults(ONE, OTHER, Faults(loss=1))
    one.send(OTHER, b"lost")
    other.send(ONE, b"back")
    assert await one.receive() == [(b"back", OTHER)]
    assert one.statistics()["lost"] == 1


async def test_an_earlier_datagram_is_not_kept_waiting_by_a_later_one(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    network = Network(1, Faults(shortest=60, longest=60))
    one, other = network.open(ONE), network.open(OTHER)
    nursery.start_soon(network.deliver)
    one.send(OTHER, b"slow")
    await trio.testing.wait_all_tasks_blocked()
    network.set_faults(ONE, OTHER, Faults())
    one.send(OTHER, b"fast")
    assert [datagram for _, datagram in await arrivals(other, 1)] == [b"fast"]


async def test_a_full_inbox_and_a_full_network_lose_and_count(
    autojump_clock: MockClock, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_INBOX", 3)
    monkeypatch.setattr(module, "MAX_IN_FLIGHT", 5)
    network = Network(1)
    one, other = network.open(ONE), network.open(OTHER)
    nursery.start_soon(network.deliver)
    for _ in range(6):
        one.send(OTHER, b"x")
    await trio.sleep(1)
    assert len(await other.receive()) == 3
    assert one.statistics()["network_full"] == 1
    assert other.statistics()["inbox_full"] == 2


async def test_a_datagram_longer_than_agreed_is_dropped_and_counted(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    network = Network(1)
    one, other = network.open(ONE), network.open(OTHER, 100)
    nursery.start_soon(network.deliver)
    one.send(OTHER, bytes(101))
    one.send(OTHER, bytes(100))
    assert await other.receive() == [(bytes(100), ONE)]
    assert other.statistics()["receive_truncated"] == 1


async def test_a_closed_address_is_silent_and_can_be_opened_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    network = Network(1)
    one, other = network.open(ONE), network.open(OTHER)
    nursery.start_soon(network.deliver)
    one.send(OTHER, b"lost")
    other.close()
    other.close()
    await trio.sleep(1)
    with pytest.raises(trio.ClosedResourceError):
        await other.receive()
    with pytest.raises(trio.ClosedResourceError):
        other.send(ONE, b"x")
    again = network.open(OTHER)
    one.send(OTHER, b"there")
    assert await again.receive() == [(b"there", ONE)]


async def test_an_address_is_open_once() -> None:
    network = Network(1)
    network.open(ONE)
    with pytest.raises(OSError, match="in use"):
        network.open(ONE)


async def test_closing_wakes_the_receiver(autojump_clock: MockClock) -> None:
    transport = Network(1).open(ONE)

    async def wait() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await transport.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        transport.close()


async def test_memory_is_an_unreliable_transport() -> None:
    transport: UnreliableTransport = Network(1).open(ONE)
    assert await transport.resolve("node2", 1) == OTHER
