"""The plot: customers are due, the leader charges them, and time and again it is killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import trio
from attrs import define, field, frozen

from paxos.demo import subscriptions
from paxos.demo.ledger import Ledger
from paxos.demo.report import Evidence, Kill, Reign, Report, draw_up
from paxos.demo.service import PARALLEL
from paxos.demo.stage import Stage
from paxos.demo.subscriptions import Subscriptions
from paxos.node.cluster import Cluster

SECONDS_PER_ACT: Final = 1.2
"""The provider is slow enough for this much work between two kills, so that each comes mid-run."""

RESTART_AFTER: Final = 1.5
"""Seconds after which a killed service returns, if no successor has appeared by then."""

LOOK_EVERY: Final = 0.005
"""Seconds between two looks at the books."""

PATIENCE: Final = 30.0
"""Seconds beyond the expected ones before the story ends with whatever there is."""


@frozen
class Plan:
    """What is to be played."""

    nodes: int = 4
    subscriptions: int = 200
    kills: int = 3

    @property
    def latency(self) -> float:
        """How long the provider takes for a charge, in seconds."""
        work = SECONDS_PER_ACT * (self.kills + 1)
        return min(1.0, max(0.005, work * PARALLEL / self.subscriptions))

    @property
    def limit(self) -> float:
        """Seconds after which the story gives up."""
        charging = (self.latency + 0.02) * self.subscriptions / PARALLEL
        return PATIENCE + charging + self.kills * 2 * RESTART_AFTER


class Audience(Protocol):
    """Whoever watches."""

    def say(self, text: str) -> None:
        """Something happened."""

    def progress(self, charged: int) -> None:
        """So many charges are in the provider's ledger."""


async def play(plan: Plan, folder: Path, audience: Audience) -> Report:
    """Play the story in an empty folder and return the verdict.

    Raises `PaxosError` if a process ends that nobody killed. No process outlives this call.
    """
    audience.say(
        f"subscriptions due: {plan.subscriptions}, services: {plan.nodes}, "
        f"kills of their leader: {plan.kills}"
    )
    database = folder / "subscriptions.db"
    subscriptions.create(database, plan.subscriptions)
    ledger = Ledger(folder / "ledger.db")
    try:
        with Subscriptions(database) as books:
            async with trio.open_nursery() as nursery:
                stage = Stage(nursery, folder, partial(_announce, audience))
                drama = _Drama(plan, stage, books, ledger, audience)
                await drama.perform()
                nursery.cancel_scope.cancel()
            return drama.verdict()
    finally:
        ledger.close()


def _announce(audience: Audience, reign: Reign) -> None:
    audience.say(f"leader={reign.leader}, epoch={reign.epoch}")


@define
class _Drama:
    """One performance."""

    _plan: Plan
    _stage: Stage
    _books: Subscriptions
    _ledger: Ledger
    _audience: Audience
    _kills: list[Kill] = field(factory=list)
    _arguments: dict[str, list[str]] = field(factory=dict)
    _ended: float = 0.0

    async def perform(self) -> None:
        ledger = self._stage.folder / "ledger.db"
        provider, url = await self._stage.nursery.start(
            self._stage.provide, ledger, self._plan.latency
        )
        self._cast(url)
        with trio.move_on_after(self._plan.limit) as limit:
            for act in range(1, self._plan.kills + 1):
                await self._kill_leader(
                    after=self._plan.subscriptions * act // (self._plan.kills + 1)
                )
            await self._until(lambda: self._books.count_due() == 0)
        if limit.cancelled_caught:
            self._audience.say(f"gave up after {self._plan.limit:.0f} s")
        self._ended = time.time()
        for name in self._stage.services:
            self._stage.kill(name)
        # what is still on its way from a dead service may yet be charged: let it
        provider.killed = True
        provider.process.terminate()
        await provider.process.wait()

    def _cast(self, provider: str) -> None:
        """Write the cluster's files and start every service."""
        folder = self._stage.folder
        cluster = Cluster.local(self._plan.nodes)
        cluster.save(folder / "cluster.toml")
        for name in cluster.names:
            self._arguments[name] = [
                *("--cluster", str(folder / "cluster.toml")),
                *("--node", name, "--data", str(folder / f"{name}.db")),
                *("--subscriptions", str(folder / "subscriptions.db"), "--provider", provider),
            ]
            self._enter(name)

    def _enter(self, name: str) -> None:
        self._stage.nursery.start_soon(self._stage.serve, name, self._arguments[name])

    async def _kill_leader(self, after: int) -> None:
        """Kill the leader at its work, and bring it back when it has a successor."""
        await self._until(lambda: self._ledger.count() >= after and self._settled())
        reign = self._stage.reign
        assert reign is not None  # it is settled
        self._kills.append(Kill(reign.leader, reign.epoch, time.time()))
        self._stage.kill(reign.leader)
        self._audience.say(f"kill -9 {reign.leader} at {self._ledger.count()} charges")
        with trio.move_on_after(RESTART_AFTER):
            await self._until(lambda: self._ledger.newest_epoch() > reign.epoch)
        self._audience.say(f"{reign.leader} returns")
        self._enter(reign.leader)

    def _settled(self) -> bool:
        """Whether all services are there and the last victim has a successor."""
        reign = self._stage.reign
        return (
            len(self._stage.services) == self._plan.nodes
            and self._stage.complete
            and reign is not None
            and all(kill.epoch < reign.epoch for kill in self._kills)
        )

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._audience.progress(self._ledger.count())
            await trio.sleep(LOOK_EVERY)
        self._audience.progress(self._ledger.count())

    def verdict(self) -> Report:
        reigns = self._stage.reigns
        return draw_up(
            Evidence(
                subscriptions=self._books.all(),
                unmarked=self._books.count_due(),
                charges=self._ledger.charges(),
                attempts=self._ledger.attempts(),
                reigns=[reigns[key] for key in sorted(reigns)],
                kills=self._kills,
                ended=self._ended,
            )
        )
