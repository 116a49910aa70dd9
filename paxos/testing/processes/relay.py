"""A network on loopback that misbehaves on request: every datagram between members passes here.

Datagrams pass untouched, sealed as they are: names are authenticated, addresses are not. Between
every two members there is one socket. Each of the two takes its address for that of the other, so
the source of a datagram tells which way it goes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from itertools import combinations, count
from random import Random
from typing import Final, NamedTuple, NoReturn

import trio
from attrs import define, field

from paxos.testing.faults import Faults
from paxos.transport import Address, UdpTransport, open_udp

LONGEST: Final = 65_507
"""The most bytes that a UDP datagram carries."""

MAX_IN_FLIGHT: Final = 65_536
"""The most datagrams that are delayed at once; more are lost."""

NO_FAULTS: Final = Faults(shortest=0.0, longest=0.0)


@define
class Link:
    """The way from one member to another, in this direction only; change it at any time."""

    source: str
    target: str
    random: Random = field(repr=False)
    faults: Faults = NO_FAULTS
    """What each datagram suffers."""
    is_cut: bool = False
    counts: Counter[str] = field(factory=Counter)
    """How many datagrams were ``passed``, ``lost``, ``cut``, ``duplicated`` and ``corrupted``."""

    def cut(self) -> None:
        """Lose everything from now on; what is delayed already still arrives."""
        self.is_cut = True

    def heal(self) -> None:
        """End the cut, and all other faults."""
        self.is_cut = False
        self.faults = NO_FAULTS

    def carry(self, datagram: bytes) -> list[tuple[float, bytes]]:
        """Return what arrives of a datagram, each copy with its delay in seconds."""
        counts = self.counts
        if self.is_cut:
            counts["cut"] += 1
            return []
        if self.faults is NO_FAULTS:
            counts["passed"] += 1
            return [(0.0, datagram)]
        copies = self.faults.copies(self.random, datagram)
        counts["lost" if not copies else "passed"] += 1
        counts["duplicated"] += len(copies) > 1
        counts["corrupted"] += any(copy != datagram for _, copy in copies)
        return copies


class _Flight(NamedTuple):
    """A datagram that is delayed; compared in this order."""

    due: float
    number: int
    transport: UdpTransport
    target: Address
    datagram: bytes


class Relay:
    """All links of a cluster; open it, then keep its tasks running with `run`."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._transports: dict[tuple[str, str], UdpTransport] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._addresses: Mapping[str, Address] = {}
        self._flights: list[_Flight] = []
        self._numbers = count()
        self._wake = trio.Event()
        self.overflowed = 0
        """Datagrams that were lost because too many were delayed at once."""

    async def open(self, names: tuple[str, ...]) -> None:
        """Take a port for every two members; raise OSError when that cannot be done."""
        for one, other in combinations(names, 2):
            self._transports[_pair(one, other)] = await open_udp("127.0.0.1", 0, LONGEST)
            for source, target in ((one, other), (other, one)):
                random = Random(f"{self._seed} {source} {target}")  # noqa: S311 - replayed on purpose
                self._links[source, target] = Link(source, target, random)

    def port(self, one: str, other: str) -> int:
        """Return the port that two members use for one another."""
        return self._transports[_pair(one, other)].address[1]

    def link(self, source: str, target: str) -> Link:
        """Return the way from one member to another; raise KeyError if there is none."""
        return self._links[source, target]

    def __iter__(self) -> Iterator[Link]:
        """Yield every link."""
        return iter(self._links.values())

    async def run(self, addresses: Mapping[str, Address]) -> NoReturn:
        """Carry datagrams between the members' real addresses until cancelled."""
        self._addresses = addresses
        async with trio.open_nursery() as nursery:
            for (one, other), transport in self._transports.items():
                nursery.start_soon(self._carry, one, other, transport)
            nursery.start_soon(self._deliver)
        raise AssertionError("it runs until cancelled")

    def close(self) -> None:
        """Let go of the ports."""
        for transport in self._transports.values():
            transport.close()

    async def _carry(self, one: str, other: str, transport: UdpTransport) -> None:
        ways = {
            self._addresses[one]: (self._links[one, other], self._addresses[other]),
            self._addresses[other]: (self._links[other, one], self._addresses[one]),
        }
        while True:
            for datagram, source in await transport.receive():
                way = ways.get(source)
                if way is None:
                    continue  # nobody of ours
                link, target = way
                for delay, copy in link.carry(datagram):
                    self._send(transport, target, copy, delay)

    def _send(
        self, transport: UdpTransport, target: Address, datagram: bytes, delay: float
    ) -> None:
        if delay <= 0:
            transport.send(target, datagram)
        elif len(self._flights) >= MAX_IN_FLIGHT:
            self.overflowed += 1
        else:
            due = trio.current_time() + delay
            flight = _Flight(due, next(self._numbers), transport, target, datagram)
            heappush(self._flights, flight)
            if self._flights[0] is flight:
                self._wake.set()

    async def _deliver(self) -> NoReturn:
        """Send each delayed datagram when it is due."""
        while True:
            now = trio.current_time()
            while self._flights and self._flights[0].due <= now:
                flight = heappop(self._flights)
                flight.transport.send(flight.target, flight.datagram)
            self._wake = trio.Event()
            with trio.move_on_at(self._flights[0].due if self._flights else math.inf):
                await self._wake.wait()


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)
