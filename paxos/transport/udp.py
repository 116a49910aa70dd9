"""UDP under Trio: non-blocking sockets on one port, drained whenever one becomes readable.

Trio's own sockets cost a checkpoint for each datagram, four times what the datagram itself costs.

The system queues datagrams for a socket, and drops them when the queue is full. So each peer gets a
socket that is connected to its address: whatever anybody else sends waits in the queue of the one
socket that is not connected, of which less is taken each time. All are bound to the same port,
and only while one is added does the system allow that. A connected socket is also told when the
peer's machine refuses a datagram because nobody listens there.
"""

from __future__ import annotations

import errno
import select
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, cast

import trio

from paxos.forks import Private
from paxos.transport.base import KNOCK, MAX_DATAGRAM, MAX_DRAIN, Address

SOCKET_BUFFER: Final = 4 << 20
"""Asked of the system for each direction, in bytes; it may silently give less."""


MAX_STRANGERS: Final = 128
"""The most datagrams taken at once of those whose source has no queue of its own."""

REST: Final = 4
"""When there were so many, nothing more is taken of them for so many times as long as they took.

So a flood gets no more than a fifth of the time, however slow the machine is at the moment.
"""

LONGEST_REST: Final = 0.1
"""In seconds."""


async def resolve(
    host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
) -> tuple[socket.AddressFamily, Address]:
    """Return the first address of a host and port, and its family; raise OSError without one."""
    found = await trio.socket.getaddrinfo(host, port, family, socket.SOCK_DGRAM)
    address: Any = found[0][4]  # a stub's union also has the form for a Python without IPv6
    return found[0][0], address


async def open_udp(host: str, port: int, max_datagram: int = MAX_DATAGRAM) -> UdpTransport:
    """Bind a UDP socket; port 0 takes any free one. Longer datagrams are dropped on receipt.

    Raises OSError when the host has no address or the port is taken.
    """
    family, address = await resolve(host, port)
    # Python's sockets are not inheritable: no child process keeps the port alive.
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            # One socket, one family: else an IPv4 peer would have two spellings.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return UdpTransport(sock, max_datagram)


class UdpTransport(Private):
    """An `UnreliableTransport` on a bound, non-blocking UDP socket, which it owns from now on."""

    def __init__(self, sock: socket.socket, max_datagram: int = MAX_DATAGRAM) -> None:
        self._socket = sock
        self._max_datagram = max_datagram
        self._address = cast("Address", sock.getsockname())
        self._closed = False
        self._favoured: dict[Address, socket.socket] = {}
        self._by_number: dict[int, socket.socket] = {}
        self._crowd: float | None = None
        """When so many strangers were taken that the others must wait."""
        self._rest: float | None = None
        """Until when they wait."""
        self._poll = select.epoll()
        self._poll.register(sock, select.EPOLLIN)
        self._refusals: list[Address] = []
        names = ("sent", "received", "knocks", "send_full", "receive_truncated", "refused")
        self._counts = Counter(dict.fromkeys(names, 0))
        super().__init__()

    def __enter__(self) -> UdpTransport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def address(self) -> Address:
        """Where the socket is bound."""
        return self._address

    async def resolve(self, host: str, port: int) -> Address:
        """Return an address that this socket can send to; raise OSError when there is none."""
        return (await resolve(host, port, self._socket.family))[1]

    def favour(self, addresses: Iterable[Address]) -> None:
        """Connect a socket to each address; what the system refuses shares the common queue."""
        if self._closed:
            raise trio.ClosedResourceError
        wanted = set(addresses)
        for address in self._favoured.keys() - wanted:
            self._forget(address)
        for address in wanted - self._favoured.keys():
            try:
                self._connect(address)
            except OSError as error:
                self._count_error("favour", error)

    def send(self, address: Address, datagram: bytes) -> None:
        """Give a datagram to the system, or count it as lost; raise only if closed."""
        if self._closed:
            raise trio.ClosedResourceError
        try:
            self._socket.sendto(datagram, address)
        except BlockingIOError:
            self._counts["send_full"] += 1
        except OSError as error:
            self._count_error("send", error)
        else:
            self._counts["sent"] += 1

    async def receive(self) -> list[tuple[bytes, Address]]:
        """Wait until something arrives; return all that has, bounded for each queue.

        A refusal ends the wait, too: look at `refusals` each time.
        """
        while True:
            if self._closed:
                raise trio.ClosedResourceError
            await self._wait()
            datagrams = self._drain()
            if datagrams or self._refusals:
                return datagrams

    def refusals(self) -> list[Address]:
        """Return the favoured addresses that refused a datagram since last."""
        refusals, self._refusals = self._refusals, []
        return refusals

    def close(self) -> None:
        """Close the socket; a task that waits in `receive` gets `trio.ClosedResourceError`."""
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._poll.fileno())
            self._close()

    def let_go(self) -> None:
        """See `Private.let_go`: nothing is unregistered, for the lists are those of the other."""
        if not self._closed:
            self._closed = True
            self._close()

    def _close(self) -> None:
        self._poll.close()
        for sock in (self._socket, *self._favoured.values()):
            sock.close()
        self._favoured, self._by_number = {}, {}

    def statistics(self) -> dict[str, int]:
        """Return the counters; errors of the system count under names such as send_emsgsize."""
        return dict(self._counts)

    async def _wait(self) -> None:
        """Return when something is there, of strangers only if they need not rest."""
        if self._crowd is not None:
            now = trio.current_time()
            self._rest = now + min(REST * (now - self._crowd), LONGEST_REST)
            self._crowd = None
        if self._rest is None:
            await trio.lowlevel.wait_readable(self._poll.fileno())
            return
        with trio.move_on_at(self._rest):
            await trio.lowlevel.wait_readable(self._poll.fileno())
        if trio.current_time() >= self._rest and not self._closed:
            self._rest = None
            self._poll.modify(self._socket, select.EPOLLIN)

    def _connect(self, address: Address) -> None:
        sock = socket.socket(self._socket.family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
            with _sharing(self._socket, *self._favoured.values(), sock):
                sock.bind(self._address)
            sock.connect(address)
            self._poll.register(sock, select.EPOLLIN)
        except BaseException:
            sock.close()
            raise
        self._favoured[address] = self._by_number[sock.fileno()] = sock

    def _forget(self, address: Address) -> None:
        sock = self._favoured.pop(address)
        del self._by_number[sock.fileno()]
        sock.close()  # which also ends that it is polled

    def _drain(self) -> list[tuple[bytes, Address]]:
        datagrams: list[tuple[bytes, Address]] = []
        if not self._favoured:
            self._drain_one(self._socket, MAX_DRAIN, datagrams)
        else:
            strangers = False
            for number, _ in self._poll.poll(0):
                sock = self._by_number.get(number)
                if sock is None:
                    strangers = True
                else:
                    self._drain_one(sock, MAX_DRAIN, datagrams)
            began = trio.current_time()
            if strangers and self._drain_one(self._socket, MAX_STRANGERS, datagrams):
                self._crowd = began
                self._poll.modify(self._socket, 0)
        self._counts["received"] += len(datagrams)
        return datagrams

    def _drain_one(
        self, sock: socket.socket, most: int, datagrams: list[tuple[bytes, Address]]
    ) -> bool:
        """Take what is there; return whether there may be more than that."""
        longest = self._max_datagram
        receive_from = sock.recvfrom
        for _ in range(most):
            try:
                # With room for one byte more, a datagram that was cut off gives itself away.
                datagram, address = receive_from(longest + 1)
            except BlockingIOError:
                return False
            except OSError as error:
                # An earlier datagram of ours was refused: news of the network, not of the socket.
                self._count_error("receive", error)
                if isinstance(error, ConnectionRefusedError):
                    self._note_refusal(sock)
                continue
            if datagram == KNOCK:
                self._counts["knocks"] += 1
            elif len(datagram) > longest:
                self._counts["receive_truncated"] += 1
            else:
                datagrams.append((datagram, address))
        return True

    def _note_refusal(self, sock: socket.socket) -> None:
        for address, favoured in self._favoured.items():
            if favoured is sock and address not in self._refusals:
                self._counts["refused"] += 1
                self._refusals.append(address)

    def _count_error(self, doing: str, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "error")
        self._counts[f"{doing}_{name.lower()}"] += 1


@contextmanager
def _sharing(*sockets: socket.socket) -> Iterator[None]:
    """Let these sockets have one port; as soon as they do, no other process can join them.

    They are all that are bound to it: one that does not share keeps the port from the others.
    """
    for sock in sockets:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        yield
    finally:
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
