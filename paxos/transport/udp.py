"""UDP under Trio: one non-blocking socket, drained whenever it becomes readable.

Trio's own sockets cost a checkpoint for each datagram, four times what the datagram itself costs.
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from types import TracebackType
from typing import Any, Final, cast

import trio

from paxos.transport.base import MAX_DATAGRAM, MAX_DRAIN, Address

SOCKET_BUFFER: Final = 4 << 20
"""Asked of the system for each direction, in bytes; it may silently give less."""


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


class UdpTransport:
    """An `UnreliableTransport` on a bound, non-blocking UDP socket, which it owns from now on."""

    def __init__(self, sock: socket.socket, max_datagram: int = MAX_DATAGRAM) -> None:
        self._socket = sock
        self._max_datagram = max_datagram
        self._address = cast("Address", sock.getsockname())
        self._closed = False
        self._counts = Counter({"sent": 0, "received": 0, "send_full": 0, "receive_truncated": 0})

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
        """Wait until something arrives; return all that has, at most `MAX_DRAIN` datagrams."""
        while True:
            if self._closed:
                raise trio.ClosedResourceError
            await trio.lowlevel.wait_readable(self._socket.fileno())
            datagrams = self._drain()
            if datagrams:
                return datagrams

    def close(self) -> None:
        """Close the socket; a task that waits in `receive` gets `trio.ClosedResourceError`."""
        if not self._closed:
            self._closed = True
            trio.lowlevel.notify_closing(self._socket.fileno())
            self._socket.close()

    def statistics(self) -> dict[str, int]:
        """Return the counters; errors of the system count under names such as send_emsgsize."""
        return dict(self._counts)

    def _drain(self) -> list[tuple[bytes, Address]]:
        datagrams: list[tuple[bytes, Address]] = []
        longest = self._max_datagram
        receive_from = self._socket.recvfrom
        for _ in range(MAX_DRAIN):
            try:
                # With room for one byte more, a datagram that was cut off gives itself away.
                datagram, address = receive_from(longest + 1)
            except BlockingIOError:
                break
            except OSError as error:
                # An earlier datagram of ours was refused: news of the network, not of the socket.
                self._count_error("receive", error)
                continue
            if len(datagram) > longest:
                self._counts["receive_truncated"] += 1
            else:
                datagrams.append((datagram, address))
        self._counts["received"] += len(datagrams)
        return datagrams

    def _count_error(self, doing: str, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "error")
        self._counts[f"{doing}_{name.lower()}"] += 1
