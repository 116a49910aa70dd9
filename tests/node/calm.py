"""What a node's callers may demand while the cluster is calm: an answer within so many delays.

The heartbeats of these clusters are slow, and so are all other alarms that could make up for
something that nobody was woken for. So where a role is not told of what somebody waits for, the
wait is longer by orders of magnitude than what is demanded here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import trio
from attrs import define, field

from paxos.node.cluster import Timing
from paxos.node.post import PATIENCE
from paxos.testing import Faults
from tests.node.house import House

DELAY = 0.00005
"""Of every datagram, at most, in seconds: a fortieth of what news may wait for company."""

STEADY = Faults(shortest=DELAY, longest=DELAY)

SHAKY = Faults(shortest=DELAY / 10, longest=DELAY)
"""Datagrams overtake one another."""

SLOW = Timing(heartbeat=1.0, suspicion=4.0, lease=20.0)
"""Twenty thousand delays from one heartbeat to the next."""

ROUND = 2
"""In delays: one way and back."""

FORWARDED = 2
"""To the leader, and back what it has done."""

READ = 2 * ROUND
"""A read waits for the round that is under way, if any, and then for its own."""

HANDED_OVER = 13
"""Farewell, poll, prepare, what is found open, leadership; and all that was lost is sent again."""

Demand = tuple[int, float, Callable[[], Awaitable[object]]]
"""Within so many delays, and seconds beside, this is to be done."""


@define
class Calm:
    """Does all that can be done with the nodes of a house, at random, and demands promptness."""

    house: House
    random: Random
    late: list[str] = field(factory=list)
    """What took longer than it may."""
    done: int = 0
    under_way: int = 0
    elections: int = 0

    @property
    def leaders(self) -> list[str]:
        """Who leads; nobody or several do while all is not calm."""
        up = self.house.up
        return [name for name in up if self.house.services(name).roles.proposer.serving]

    async def settle(self) -> None:
        """Wait until all vote, follow one leader and know the same, and nobody waits.

        A node that has asked for another goes on asking, at its own pace, when that has long been
        answered another way; and whoever reads there meanwhile waits for that answer first. So
        what was lost in the harm must be asked again and answered before anybody demands.
        """
        up = [self.house.services(name) for name in self.house.up]
        with trio.fail_after(120):
            while self.under_way or not all(one.roles.admission.voting for one in up):
                await trio.sleep(0.1)
        await self.house.leader(within=120)
        with trio.fail_after(120):
            while not all(one.roles.proposer.reading.idle for one in up):
                await trio.sleep(0.1)
        await self.house.agreed(120)

    async def operate(self, many: int) -> None:
        """Do so many things at random moments, some of them at once."""
        with trio.fail_after(120):
            async with trio.open_nursery() as nursery:
                for _ in range(many):
                    await trio.sleep(self.random.choice((0, 0, DELAY, PATIENCE, 0.02, 0.1)))
                    nursery.start_soon(self.one)

    async def one(self, name: str = "", *, demanding: bool = True, extra: int = 0) -> None:
        """Do anything on any node, or on this one."""
        name = name or self.random.choice(self.house.up)
        kinds = (self.propose, self.propose_many, self.barrier, self.leased, self.reach, self.lead)
        weights = (6, 2, 4, 2, 3, 1)
        (kind,) = self.random.choices(kinds, weights)
        delays, most, action = kind(name, 0 if name in self.leaders else FORWARDED)
        delays += 2 * extra
        began = trio.current_time()
        self.under_way += 1
        try:
            await action()
        finally:
            self.under_way -= 1
        took = trio.current_time() - began
        self.done += 1
        if demanding and took > delays * DELAY + most + 1e-6:
            what = f"{kind.__name__} on {name}, where {self.leaders} lead"
            self.late.append(f"{what}: {took / DELAY:.1f} delays at {began:.4f}, not {delays}")

    def propose(self, name: str, way: int) -> Demand:
        command = b"%d" % self.random.randrange(1 << 60)
        return self._decided(way), 0, lambda: self.house.node(name).propose(command)

    def propose_many(self, name: str, way: int) -> Demand:
        many = self.random.randint(2, 60)
        commands = [b"%d" % self.random.randrange(1 << 60) for _ in range(many)]
        return self._decided(way), 0, lambda: self.house.node(name).propose_many(commands)

    def barrier(self, name: str, way: int) -> Demand:
        delays = READ + (READ + way if way else 0) + way
        return delays, 0, lambda: self.house.node(name).barrier()

    def leased(self, name: str, way: int) -> Demand:
        delays, most, _ = self.barrier(name, way)
        return delays, most, lambda: self.house.node(name).barrier(lease=True)

    def reach(self, name: str, _: int) -> Demand:
        """Who was told of a slot by another node waits for no more than the leader's patience."""
        position = max(self.house.node(other).position for other in self.house.up)
        return 1, PATIENCE, lambda: self.house.node(name).barrier(at_least=position)

    def lead(self, name: str, way: int) -> Demand:
        """Stand, be appointed, and resign, in an election where nobody else stands."""
        self.elections += 1
        election = self.house.node(name).election(f"election{self.elections}")

        async def lead() -> None:
            async with election.lead():
                pass

        return 2 * self._decided(way) + self._decided(0), 0, lead

    def _decided(self, way: int) -> int:
        """A command finds one slot before it where the window has room for no other."""
        return way + (2 if self.house.cluster.window == 1 else 1) * ROUND

    async def hand_over(self, many: int) -> None:
        """Let the leader resign while much is under way, which takes but so much longer.

        The next one leads after a poll, a prepare, what it finds open, and its leadership.
        """
        async with trio.open_nursery() as nursery:
            for _ in range(many):
                nursery.start_soon(lambda: self.one(extra=HANDED_OVER))
                await trio.sleep(self.random.choice((0, 0, DELAY / 2, DELAY)))
            (leader,) = self.leaders
            await self._resign(leader, self.house.up)

    async def vanish(self, many: int) -> None:
        """Let the leader resign and be gone, with what it has under way."""
        (leader,) = self.leaders
        async with trio.open_nursery() as nursery:
            for _ in range(many):
                nursery.start_soon(lambda: self.one(leader, demanding=False))
                await trio.sleep(self.random.choice((0, 0, DELAY / 2, DELAY)))
            others = [name for name in self.house.up if name != leader]
            await self._resign(leader, others, gone=True)
            self.house.network.heal()
            await self.settle()

    async def _resign(self, leader: str, others: list[str], *, gone: bool = False) -> None:
        began, epoch = trio.current_time(), self._epoch(leader)
        self._stop_leading(leader)
        if gone:
            self.house.isolate(leader)
        with trio.fail_after(120):
            while not all(self._epoch(name) > epoch for name in others):
                await trio.sleep(DELAY / 2)
        took = trio.current_time() - began
        if took > HANDED_OVER * DELAY:
            self.late.append(f"leader after {leader}: {took / DELAY:.1f} delays at {began:.4f}")

    def _epoch(self, name: str) -> int:
        seen = self.house.node(name).leader
        return 0 if seen is None else seen.epoch

    def _stop_leading(self, name: str) -> None:
        self.house.services(name).engine.resign()
        self.house.services(name).turned()

    async def disturb(self) -> None:
        """Do harm, and undo it, while much is under way."""
        house, names = self.house, list(self.house.names)
        async with trio.open_nursery() as nursery:
            for _ in range(self.random.randint(0, 12)):
                nursery.start_soon(lambda: self.one(demanding=False))
            await trio.sleep(self.random.uniform(0, 0.01))
            some = self.random.sample(names, self.random.randint(0, len(names)))
            match self.random.choice(("isolate", "deafen", "resign")):
                case "isolate":
                    house.isolate(*some)
                case "deafen":
                    for one in some:
                        for other in set(names) - set(some):
                            house.network.cut(house.address(other), house.address(one))
                case "resign":
                    self._stop_leading(self.random.choice(names))
            for _ in range(self.random.randint(0, 12)):
                nursery.start_soon(lambda: self.one(demanding=False))
            await trio.sleep(self.random.choice((0, DELAY, 0.01, 1.0, 10.0)))
            house.network.heal()
            await self.settle()
