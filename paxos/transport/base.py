"""What a node needs of a network, which is little: datagrams that may arrive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""Host and port, and for IPv6 also flow and scope, as the socket module has them."""

MAX_DATAGRAM = 1_400
"""What passes nearly every path unfragmented, tunnels included, in bytes."""

KNOCK = b""
"""A datagram that says nothing: it only finds out whether a machine refuses it, because nobody
listens there. Whoever receives it drops it; so being knocked at costs next to nothing."""

MAX_DRAIN = 128
"""The most datagrams that one `UnreliableTransport.receive` takes from one queue."""


class UnreliableTransport(Protocol):
    """Moves bytes between addresses, or loses, repeats, delays and reorders them.

    It knows no names and no keys: whose bytes these are is for others to find out.
    """

    @property
    def address(self) -> Address:
        """Where others reach this transport."""

    async def resolve(self, host: str, port: int) -> Address:
        """Return the address of a host and port; raise OSError when there is none."""

    def favour(self, addresses: Iterable[Address]) -> None:
        """Give each of these sources a queue of its own, as far as the transport can.

        Then a flood from elsewhere fills another queue than theirs. It replaces what was given
        before.
        """

    def send(self, address: Address, datagram: bytes) -> None:
        """Send without waiting. What the network refuses is counted as lost, never raised."""

    async def receive(self) -> list[tuple[bytes, Address]]:
        """Wait for datagrams; return those that are there, with their sources' addresses.

        It also returns, perhaps with nothing, when there are new `refusals`. A `KNOCK` need not
        be returned.

        Raises `trio.ClosedResourceError` once closed.
        """

    def refusals(self) -> list[Address]:
        """Return the addresses at which nobody listens, as their machines have said since last.

        It is a hint: not every system tells, and anybody can forge it.
        """

    def close(self) -> None:
        """Let go of the address. Closing twice is harmless."""

    def statistics(self) -> dict[str, int]:
        """Return how many datagrams were sent, received, and lost for what reason."""
