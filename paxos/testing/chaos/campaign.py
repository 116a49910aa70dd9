"""One run: clients work, the nemesis harms, then everything must come right and be proved."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final, Protocol

import trio
from attrs import define, field, frozen

from paxos.errors import PaxosError
from paxos.testing.chaos.nemesis import Nemesis
from paxos.testing.chaos.report import Report
from paxos.testing.chaos.workload import Workload
from paxos.testing.linearizability import Register, check, draw
from paxos.testing.processes import STORE, LocalCluster, Log, syncs_can_fail

START_LIMIT: Final = 60.0
"""Seconds within which a new cluster must have a leader."""

RECOVERY_LIMIT: Final = 60.0
"""Seconds after the end of all harm in which every client must be answered, or never will be.

Processes are being started then on a busy machine; the protocol itself needs a fraction of one.
"""

CHECK_LIMIT: Final = 120.0
"""Seconds after which the history's verdict is left open."""


@frozen
class Plan:
    """What to do."""

    nodes: int = 5
    seconds: float = 120.0
    """How long the cluster is harmed."""
    seed: int = 0
    clients: int = 8
    machine: str = STORE
    """The state machine, as `LocalCluster` takes it; it must understand `STORE`'s commands."""


class Audience(Protocol):
    """Who watches."""

    def say(self, text: str) -> None:
        """Hear of something that happens."""

    def progress(self, seconds: float, /) -> None:
        """Hear how many seconds of harm are over."""


async def run_chaos(plan: Plan, folder: Path, audience: Audience) -> Report:
    """Harm a cluster whose clients work, and find out whether it kept its promises.

    ``folder`` is an empty one; it keeps the journals, the members' logs and the clients' history
    (``history.jsonl``, as ``paxos check`` reads it).
    """
    async with LocalCluster(
        plan.nodes,
        machine=plan.machine,
        folder=folder,
        seed=plan.seed,
        failing_syncs=syncs_can_fail(),
    ) as cluster:
        with trio.fail_after(START_LIMIT):
            leadership = await cluster.leader()
            await cluster.all_answer()
        audience.say(f"{plan.nodes} processes run, {leadership}")
        run = _Run(plan, cluster, audience)
        await run.harm()
        await run.stop()
    audience.say("checking what the clients saw")
    return run.report(folder)


@define
class _Run:
    plan: Plan
    cluster: LocalCluster
    audience: Audience
    violations: list[str] = field(factory=list)
    recovered_after: float | None = None
    log: Log | None = None
    workload: Workload = field(init=False)
    nemesis: Nemesis = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.workload = Workload(self.cluster, self.plan.seed, self.plan.clients, self.audience.say)
        self.nemesis = Nemesis(self.cluster, self.plan.seed, self.audience.say)

    async def harm(self) -> None:
        """Harm, recover, and see every client answered."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.workload.run)
            nursery.start_soon(self._tell_progress)
            try:
                with trio.move_on_after(self.plan.seconds):
                    await self.nemesis.run()
                self.audience.say("the end of all harm")
                ended = trio.current_time()
                await self.nemesis.recover()
                with trio.move_on_after(RECOVERY_LIMIT):
                    await self.workload.hear_from_all()
                    self.recovered_after = trio.current_time() - ended
                    await self.cluster.all_answer()
                    await self.workload.read_all()
            except* PaxosError as errors:
                self.violations += map(str, _leaves(errors))
            if self.recovered_after is None and not self.violations:
                self.violations.append(
                    f"a client had no answer {RECOVERY_LIMIT:g} seconds after all harm had ended"
                )
            self.workload.finish()
            nursery.cancel_scope.deadline = trio.current_time() + RECOVERY_LIMIT

    async def stop(self) -> None:
        """Stop every member, and compare the journals."""
        for name in self.cluster.running:
            status = await self.cluster.stop(name)
            if status:
                self.violations.append(f"{name} was asked to stop, and ended with status {status}")
        for name in self.cluster.names:
            if "Traceback" in self.cluster.said(name):
                self.violations.append(f"{name} has met a bug; see its log")
        try:
            self.log = self.cluster.compare_logs()
        except PaxosError as error:
            self.violations.append(str(error))

    def report(self, folder: Path) -> Report:
        """Check the history, and tell all."""
        (folder / "history.jsonl").write_text(self.workload.recorder.dump())
        verdict = check(self.workload.recorder.history(), Register(), CHECK_LIMIT)
        if verdict.linearizable is None:
            self.violations.append("whether the history is linearizable could not be found out")
        elif verdict.window is not None:
            picture = draw(verdict.window)
            self.violations.append(f"not linearizable: these fit into no order:\n{picture}")
        datagrams: Counter[str] = Counter()
        for link in self.cluster.links:
            datagrams += link.counts
        return Report(
            seed=self.plan.seed,
            nodes=self.plan.nodes,
            seconds=self.plan.seconds,
            faults=dict(sorted(self.nemesis.counts.items())),
            datagrams=dict(sorted(datagrams.items())),
            operations=dict(self.workload.outcomes),
            longest_silence=self.workload.longest_silence,
            recovered_after=self.recovered_after,
            slots=0 if self.log is None else len(self.log.values),
            leaderships=0 if self.log is None else len(self.log.leaderships),
            linearizable=verdict.linearizable,
            violations=tuple(self.violations),
        )

    async def _tell_progress(self) -> None:
        began = trio.current_time()
        while (over := trio.current_time() - began) < self.plan.seconds:
            self.audience.progress(over)
            await trio.sleep(0.2)
        self.audience.progress(self.plan.seconds)


def _leaves(group: BaseExceptionGroup[PaxosError]) -> list[PaxosError]:
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
