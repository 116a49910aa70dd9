"""Whoever harms the cluster: one thing after another to its processes, and to its network."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

import trio
from attrs import define, field

from paxos.errors import PaxosError
from paxos.testing.chaos.patterns import PATTERNS, WEATHER
from paxos.testing.processes import LocalCluster, syncs_can_fail

HARM: Final = (0.2, 2.5)
"""How long something lasts, in seconds."""

REST: Final = (0.1, 1.5)
"""How long nothing is done afterwards."""


class StoppedBadly(PaxosError):  # noqa: N818 - it says what happened
    """A member that was asked to stop ended with an error."""


@define
class Nemesis:
    """Draws harm from a seed, does it, undoes it, and counts it by name."""

    cluster: LocalCluster
    seed: int
    tell: Callable[[str], None]
    counts: Counter[str] = field(factory=Counter)
    _bad_disks: set[str] = field(factory=set)

    async def run(self) -> None:
        """Harm until cancelled; then `recover` puts everything right."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._harm_processes)
            nursery.start_soon(self._harm_network)

    async def recover(self) -> None:
        """End all harm: every member runs, on a sound disk, with sound links."""
        self.cluster.heal()
        for name in self.cluster.names:
            self.cluster.mend_syncs(name)
            if name in self.cluster.paused:
                self.cluster.resume(name)
            if name in self._bad_disks or name not in self.cluster.running:
                await self.cluster.restart(name)
        self._bad_disks.clear()

    # Processes.

    async def _harm_processes(self) -> None:
        random = Random(f"{self.seed} processes")  # noqa: S311 - replayed on purpose
        deeds = [self._kill, self._kill_all, self._stop, self._pause, self._fill_disk]
        if syncs_can_fail():
            deeds.append(self._fail_syncs)
        while True:
            await trio.sleep(random.uniform(*REST))
            self.cluster.check()
            deed, seconds = random.choice(deeds), random.uniform(*HARM)
            victim, leader_preferred = random.choice(self.cluster.names), random.random() < 0.5
            await deed((await self._leader() or victim) if leader_preferred else victim, seconds)

    async def _leader(self) -> str | None:
        with trio.move_on_after(0.5):
            return (await self.cluster.leader()).leader
        return None

    async def _kill(self, name: str, seconds: float) -> None:
        self._note("kill", f"kill -9 {name} for {seconds:.1f} s")
        await self.cluster.kill(name)
        await trio.sleep(seconds)
        await self.cluster.start(name)

    async def _kill_all(self, name: str, seconds: float) -> None:
        self._note("kill all", "kill -9 everybody")
        for each in self.cluster.names:
            await self.cluster.restart(each)
        await trio.sleep(seconds)

    async def _stop(self, name: str, seconds: float) -> None:
        self._note("stop", f"stop {name} for {seconds:.1f} s")
        status = await self.cluster.stop(name)
        if status not in (0, -signal.SIGTERM):  # the latter: it had only begun to start
            raise StoppedBadly(f"{name} was asked to stop, and ended with status {status}")
        await trio.sleep(seconds)
        await self.cluster.start(name)

    async def _pause(self, name: str, seconds: float) -> None:
        self._note("pause", f"pause {name} for {seconds:.1f} s")
        self.cluster.pause(name)
        await trio.sleep(seconds)
        self.cluster.resume(name)

    async def _fill_disk(self, name: str, seconds: float) -> None:
        await self._spoil("full disk", name, seconds, self.cluster.fill_disk)

    async def _fail_syncs(self, name: str, seconds: float) -> None:
        await self._spoil("failing sync", name, seconds, self.cluster.fail_syncs)

    async def _spoil(
        self, what: str, name: str, seconds: float, spoil: Callable[[str], None]
    ) -> None:
        """Give a member a bad disk; the cure is another disk and another life."""
        self._note(what, f"{what} at {name} for {seconds:.1f} s")
        self._bad_disks.add(name)
        spoil(name)
        await trio.sleep(seconds)
        self.cluster.mend_syncs(name)
        await self.cluster.restart(name)
        self._bad_disks.discard(name)

    # The network.

    async def _harm_network(self) -> None:
        random = Random(f"{self.seed} network")  # noqa: S311 - replayed on purpose
        while True:
            await trio.sleep(random.uniform(*REST))
            seconds = random.uniform(*HARM)
            dice = random.random()
            if dice < 0.7 and len(self.cluster.names) > 1:
                self._cut(random, seconds)
            if dice > 0.4:
                self._spoil_weather(random, seconds)
            await trio.sleep(seconds)
            self.cluster.heal()

    def _cut(self, random: Random, seconds: float) -> None:
        pattern = random.choice(PATTERNS)
        nodes = random.sample(self.cluster.names, len(self.cluster.names))
        name = pattern.__name__.replace("_", " ")
        self._note(f"cut: {name}", f"cut {name} ({' '.join(nodes)}) for {seconds:.1f} s")
        for source, target in pattern(nodes):
            self.cluster.link(source, target).cut()

    def _spoil_weather(self, random: Random, seconds: float) -> None:
        weather = random.choice(WEATHER)
        everywhere = random.random() < 0.5
        self._note(
            f"weather: {weather.__name__}",
            f"{weather.__name__} on {'all' if everywhere else 'some'} links for {seconds:.1f} s",
        )
        for link in self.cluster.links:
            faults, here = weather(random), random.random() < 0.3
            if everywhere or here:
                link.faults = faults

    def _note(self, name: str, words: str) -> None:
        self.counts[name] += 1
        self.tell(words)
