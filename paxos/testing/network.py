"""A network in memory that misbehaves on request, and the same way for the same seed.

Each link, from one address to another, draws from randomness of its own, so what happens on it
depends on what was sent over it and on nothing else. Time is Trio's: under a
`trio.testing.MockClock` that jumps, an hour of delays takes no time at all.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable
from heapq import heappop, heappush
from random import Random
from typing import Final, NamedTuple, NoReturn

import trio
from attrs import define

from paxos.testing.faults import Faults
from paxos.transport.base import KNOCK, MAX_DATAGRAM, MAX_DRAIN, Address

MAX_IN_FLIGHT: Final = 65_536
"""The most datagrams on their way in one network; more are lost."""

NAMES: Final = ("sent", "received", "knocks", "inbox_full", "receive_truncated", "refused")
"""What every transport counts, from the beginning."""

MAX_INBOX: Final = 4_096
"""The most datagrams that wait for one receiver; more are lost, as from a full socket buffer."""


class _Flight(NamedTuple):
    """A datagram on its way; compared in this order, which no scheduling can change."""

    due: float
    source: Address
    target: Address
    number: int
    datagram: bytes


@define
class _Link:
    """One way from one address to another."""

    random: Random
    faults: Faults
    is_cut: bool = False
    flights: int = 0


class Network:
    """Addresses, and the links between every two of them.

    Start its one task, `deliver`, in a nursery; nothing arrives without it::

        network = Network(seed=7, faults=Faults(shortest=0.001, longest=0.02, loss=0.1))
        nursery.start_soon(network.deliver)
        transport = network.open(("node1", 1))
    """

    def __init__(self, seed: int, faults: Faults | None = None) -> None:
        self._seed = seed
        self._faults = faults or Faults()
        self._links: dict[tuple[Address, Address], _Link] = {}
        self._transports: dict[Address, MemoryTransport] = {}
        self._flights: list[_Flight] = []
        self._wake = trio.Event()

    def open(self, address: Address, max_datagram: int = MAX_DATAGRAM) -> MemoryTransport:
        """Return a transport at a free address; raise OSError when it is taken."""
        if address in self._transports:
            raise OSError(f"{address} is in use")
        transport = MemoryTransport(self, address, max_datagram)
        self._transports[address] = transport
        return transport

    def set_faults(self, source: Address, target: Address, faults: Faults) -> None:
        """Change one link, in this direction only."""
        self._link(source, target).faults = faults

    def cut(self, source: Address, target: Address) -> None:
        """Lose everything on one link, in this direction only; what is on its way arrives."""
        self._link(source, target).is_cut = True

    def heal(self) -> None:
        """End every cut."""
        for link in self._links.values():
            link.is_cut = False

    async def deliver(self) -> NoReturn:
        """Bring each datagram to its target when it is due. Runs until cancelled."""
        while True:
            now = trio.current_time()
            while self._flights and self._flights[0].due <= now:
                self._arrive(heappop(self._flights))
            self._wake = trio.Event()
            with trio.move_on_at(self._flights[0].due if self._flights else math.inf):
                await self._wake.wait()

    def _link(self, source: Address, target: Address) -> _Link:
        link = self._links.get((source, target))
        if link is None:
            random = Random(f"{self._seed} {source} {target}")  # noqa: S311  replayed on purpose
            link = self._links[source, target] = _Link(random, self._faults)
        return link

    def _send(self, source: Address, target: Address, datagram: bytes) -> str:
        """Put a datagram on its way; return under which name its sender counts it."""
        link = self._link(source, target)
        copies = link.faults.copies(link.random, datagram)
        if link.is_cut:
            return "cut"
        if not copies:
            return "lost"
        if len(self._flights) + len(copies) > MAX_IN_FLIGHT:
            return "network_full"
        now = trio.current_time()
        for delay, copy in copies:
            link.flights += 1
            flight = _Flight(now + delay, source, target, link.flights, copy)
            heappush(self._flights, flight)
            if self._flights[0] is flight:
                self._wake.set()
        return "sent"

    def _arrive(self, flight: _Flight) -> None:
        transport = self._transports.get(flight.target)
        if transport is not None:
            transport._arrive(flight.datagram, flight.source)
        else:
            self.refuse(flight.source, flight.target)

    def refuse(self, source: Address, target: Address) -> None:
        """Tell a source that nobody listens at a target; it may be a lie."""
        transport = self._transports.get(source)
        if transport is not None and not self._link(target, source).is_cut:
            transport._refused(target)

    def _close(self, address: Address) -> None:
        del self._transports[address]


class MemoryTransport:
    """An `UnreliableTransport` at one address of a `Network`."""

    def __init__(self, network: Network, address: Address, max_datagram: int) -> None:
        self._network = network
        self._address = address
        self._max_datagram = max_datagram
        self._inbox: deque[tuple[bytes, Address]] = deque()
        self._refusals: dict[Address, None] = {}
        self._arrived = trio.Event()
        self._closed = False
        self._counts = Counter(dict.fromkeys(NAMES, 0))

    @property
    def address(self) -> Address:
        """Where others reach this transport."""
        return self._address

    async def resolve(self, host: str, port: int) -> Address:
        """Return host and port as they are: they are the address."""
        await trio.lowlevel.checkpoint()
        return (host, port)

    def favour(self, addresses: Iterable[Address]) -> None:
        """Do nothing: here all sources share one queue."""

    def send(self, address: Address, datagram: bytes) -> None:
        """Put a datagram on its way, or count how it was lost; raise only if closed."""
        if self._closed:
            raise trio.ClosedResourceError
        self._counts[self._network._send(self._address, address, datagram)] += 1

    async def receive(self) -> list[tuple[bytes, Address]]:
        """Wait until something arrives; return all that has, at most `MAX_DRAIN` datagrams."""
        # Others get their turn even if this inbox never runs dry.
        await trio.lowlevel.checkpoint()
        while not self._inbox and not self._refusals and not self._closed:
            self._arrived = trio.Event()
            await self._arrived.wait()
        if self._closed:
            raise trio.ClosedResourceError
        drained = [self._inbox.popleft() for _ in range(min(MAX_DRAIN, len(self._inbox)))]
        self._counts["received"] += len(drained)
        return drained

    def refusals(self) -> list[Address]:
        """Return the addresses at which nobody listened since last."""
        refusals, self._refusals = list(self._refusals), {}
        return refusals

    def close(self) -> None:
        """Let go of the address; a task that waits in `receive` gets `trio.ClosedResourceError`."""
        if not self._closed:
            self._closed = True
            self._network._close(self._address)
            self._arrived.set()

    def statistics(self) -> dict[str, int]:
        """Return how many datagrams were sent, received, and lost for what reason."""
        return dict(self._counts)

    def _refused(self, target: Address) -> None:
        self._counts["refused"] += 1
        self._refusals[target] = None
        self._arrived.set()

    def _arrive(self, datagram: bytes, source: Address) -> None:
        if datagram == KNOCK:
            self._counts["knocks"] += 1
        elif len(datagram) > self._max_datagram:
            self._counts["receive_truncated"] += 1
        elif len(self._inbox) >= MAX_INBOX:
            self._counts["inbox_full"] += 1
        else:
            self._inbox.append((datagram, source))
            self._arrived.set()
