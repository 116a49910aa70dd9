"""Nodes of a house that stand in elections, and what became of them."""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import define, field

import paxos
from tests.node.house import House

OpenHouse = Callable[..., House]

ROUNDS = 0.05
"""Many more rounds than anything here needs, at a millisecond of delay."""


@define
class Hall:
    """Notes when terms begin and when their bodies stop, on the clock of the test."""

    house: House
    nursery: trio.Nursery
    terms: dict[int, paxos.Term] = field(factory=dict)
    """By epoch."""
    began: dict[int, float] = field(factory=dict)
    stopped: dict[int, float] = field(factory=dict)
    lost: dict[int, str] = field(factory=dict)
    """By epoch, the reason with which the block ended; without one it ended by itself."""

    def hold(self, name: str, seconds: float = float("inf"), priority: int = 0) -> None:
        """Let a node stand, and lead for a while when its time has come."""
        self.nursery.start_soon(self._hold, name, seconds, priority)

    async def _hold(self, name: str, seconds: float, priority: int) -> None:
        epoch = 0
        try:
            async with self.election(name).lead(priority=priority) as term:
                epoch = term.epoch
                self.terms[epoch], self.began[epoch] = term, trio.current_time()
                try:
                    await trio.sleep(seconds)
                finally:
                    self.stopped[epoch] = trio.current_time()
        except paxos.LeadershipLost as error:
            self.lost[epoch] = error.reason
        except paxos.NodeClosed:
            assert epoch == 0

    def election(self, name: str) -> paxos.Election:
        return self.house.node(name).election("billing")

    async def epoch(self, epoch: int, within: float = 10.0) -> paxos.Term:
        """Wait for the term of this epoch."""
        with trio.fail_after(within):
            while epoch not in self.terms:
                await trio.sleep(0.0005)
        return self.terms[epoch]

    async def stop(self, epoch: int, within: float = 10.0) -> float:
        """Wait until the body of this term has stopped; return when that was."""
        with trio.fail_after(within):
            while epoch not in self.stopped:
                await trio.sleep(0.0005)
        return self.stopped[epoch]

    async def candidates(self, *names: str) -> None:
        """Wait until these wait, in this order, as every node sees it."""
        with trio.fail_after(10):
            for one in self.house.up:
                while tuple(c.node for c in self.election(one).candidates()) != names:
                    await trio.sleep(0.0005)

    @property
    def lease(self) -> float:
        return self.house.cluster.timing.lease

    async def follower(self) -> str:
        """Return a node that does not lead the log."""
        return self.others((await self.house.leader()).leader)[0]

    def others(self, name: str) -> list[str]:
        return [other for other in self.house.names if other != name]
