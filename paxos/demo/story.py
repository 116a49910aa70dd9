"""The plot: customers are due, the leader charges them, and time and again harm befalls it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import attrs
import trio
from attrs import define, field, frozen

from paxos.demo import subscriptions
from paxos.demo.ledger import Ledger
from paxos.demo.report import Blow, Evidence, Harm, Reign, Report, draw_up
from paxos.demo.service import PARALLEL
from paxos.demo.stage import Actor, Stage
from paxos.demo.subscriptions import Subscriptions
from paxos.node.cluster import Cluster, Timing

LEASE: Final = 1.0
"""The lease of the services, in seconds."""

PAUSE: Final = 3 * LEASE
"""For how long a leader is paused."""

LOSS: Final = 0.03
"""The share of requests, and of answers, that the provider loses."""

SECONDS_PER_ACT: Final = 1.0
"""The provider is slow enough for this much work between two blows, so that each comes mid-run."""

INVOICING: Final = 1 / 3
"""The share of a charge's time in which the leader has not asked the provider yet."""

RETURN_AFTER: Final = 3.0
"""Seconds after which a victim returns, if no successor has appeared by then."""

LOOK_EVERY: Final = 0.005
"""Seconds between two looks at the books."""

PATIENCE: Final = 60.0
"""Seconds without a charge after which the story ends with whatever there is."""


class _GaveUp(Exception):  # noqa: N818 - it says what the story did
    """Nothing happens any more."""


@frozen
class Plan:
    """What is to be played."""

    nodes: int = 4
    subscriptions: int = 200
    kills: int = 3
    """Every second one comes between the provider's acceptance and its answer."""
    pauses: int = 1
    cuts: int = 1
    seed: int = 0
    """Decides what happens when, and what the provider loses; not what the system does."""

    @property
    def harms(self) -> list[Harm]:
        """What happens to leaders, in order."""
        harms = [Harm.KILLED, Harm.KILLED_UNHEARD] * self.kills
        harms = harms[: self.kills] + [Harm.PAUSED] * self.pauses + [Harm.CUT_OFF] * self.cuts
        random.Random(self.seed).shuffle(harms)  # noqa: S311 - a story, no secret
        return harms

    @property
    def seconds_per_charge(self) -> float:
        """How long a charge takes a leader and the provider together."""
        work = SECONDS_PER_ACT * (len(self.harms) + 1)
        return min(1.0, max(0.005, work * PARALLEL / self.subscriptions))

    @property
    def latency(self) -> float:
        """How long the provider takes for a charge, in seconds."""
        return self.seconds_per_charge * (1 - INVOICING)


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
        f"blows to their leader: {len(plan.harms)}, seed: {plan.seed}"
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
    _blows: list[Blow] = field(factory=list)
    _arguments: dict[str, list[str]] = field(factory=dict)
    _ended: float = 0.0

    async def perform(self) -> None:
        plan = self._plan
        provider, url = await self._stage.nursery.start(
            self._stage.provide,
            [
                *("--ledger", str(self._stage.folder / "ledger.db")),
                *("--latency", str(plan.latency)),
                *("--loss", str(LOSS), "--seed", str(plan.seed)),
            ],
        )
        self._cast(url)
        try:
            for act, harm in enumerate(plan.harms, 1):
                after = plan.subscriptions * act // (len(plan.harms) + 1)
                await self._strike(harm, after, provider)
                if self._done():
                    break
            await self._until(self._done)
            if len(self._blows) < len(plan.harms):
                self._audience.say(
                    f"all were charged after {len(self._blows)} of {len(plan.harms)} blows; "
                    "more --subscriptions leave time for all of them"
                )
        except _GaveUp:
            self._audience.say(f"gave up after {PATIENCE:.0f} s without a charge")
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
        cluster = attrs.evolve(Cluster.local(self._plan.nodes), timing=Timing(lease=LEASE))
        cluster.save(folder / "cluster.toml")
        for name in cluster.names:
            self._arguments[name] = [
                *("--cluster", str(folder / "cluster.toml")),
                *("--node", name, "--data", str(folder / f"{name}.db")),
                *("--subscriptions", str(folder / "subscriptions.db"), "--provider", provider),
                *("--invoicing", str(self._plan.seconds_per_charge * INVOICING)),
            ]
            self._enter(name)

    def _enter(self, name: str) -> None:
        self._stage.nursery.start_soon(self._stage.serve, name, self._arguments[name])

    async def _strike(self, harm: Harm, after: int, provider: Actor) -> None:
        """Do harm to the leader at its work, and bring it back when it has a successor.

        Where few customers are due, all may be charged before: then nobody works any more.
        """
        await self._until(lambda: self._at_work(after) or self._done())
        if harm is Harm.KILLED_UNHEARD:
            self._stage.accepted = 0
            await provider.tell("hold")
            await self._until(lambda: self._stage.accepted in self._epochs() or self._done())
            epoch = self._stage.accepted
        else:
            epoch = self._ledger.newest_epoch()
        if self._done():
            await provider.tell("release")
            return
        leader = self._epochs()[epoch]
        self._blows.append(Blow(harm, leader, epoch, time.time()))
        charged = self._ledger.count()
        match harm:
            case Harm.KILLED | Harm.KILLED_UNHEARD:
                self._audience.say(f"{harm} {leader} at {charged} charges")
                self._stage.kill(leader)
                await provider.tell("release")
                await self._succession(epoch)
                self._enter(leader)
            case Harm.PAUSED:
                self._audience.say(f"kill -STOP {leader} for {PAUSE:.1f} s at {charged} charges")
                self._stage.pause(leader)
                await self._wait(PAUSE)
                self._stage.resume(leader)
            case Harm.CUT_OFF:
                self._audience.say(f"{leader} is cut off from its peers at {charged} charges")
                await self._stage.services[leader].tell("cut")
                await self._succession(epoch)
                await self._stage.services[leader].tell("mend")
        self._audience.say(f"{leader} returns")

    def _epochs(self) -> dict[int, str]:
        """Who leads in which epoch, as far as the story has heard."""
        return dict(self._stage.reigns.keys())

    def _done(self) -> bool:
        return self._books.count_due() == 0

    def _all_there(self) -> bool:
        return len(self._stage.services) == self._plan.nodes and self._stage.complete

    def _at_work(self, after: int) -> bool:
        """Whether all services are there, and the newest leader charges."""
        newest = self._ledger.newest_epoch()
        return (
            self._ledger.count() >= after
            and self._all_there()
            and newest in self._epochs()
            and newest == max(self._epochs())
        )

    async def _succession(self, epoch: int) -> None:
        with trio.move_on_after(RETURN_AFTER):
            await self._until(lambda: self._ledger.newest_epoch() > epoch)

    async def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        await self._until(lambda: time.monotonic() >= end)

    async def _until(self, condition: Callable[[], bool]) -> None:
        charged, since = self._ledger.count(), trio.current_time()
        while not condition():
            count = self._ledger.count()
            self._audience.progress(count)
            if count > charged:
                charged, since = count, trio.current_time()
            elif trio.current_time() > since + PATIENCE:
                raise _GaveUp
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
                blows=self._blows,
                ended=self._ended,
            )
        )
