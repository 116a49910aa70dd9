"""Many seeds, on several processes or machines; of a failing one, the shortest plan that fails."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, nullcontext
from functools import partial
from hashlib import sha256
from random import Random

from attrs import define, field, frozen

from paxos.testing.mutants import mutated
from paxos.testing.simulation.action import Plan
from paxos.testing.simulation.simulation import Outcome, Simulation
from paxos.testing.simulation.workers import has_ended, run_in_processes

CHUNK = 20
"""Seeds that a process runs in one go."""

EXPECTED: tuple[str, ...] = (
    "loss", "duplication", "straggling", "corruption", "replay", "replay_minutes_old",
    "refusal", "delay", "small", "filter", "cut", "flapping", "one_way", "isolate", "halves",
    "bridge", "ring", "star", "chain", "crash", "crash_in_a_step", "crash_of_all", "pause",
    "slow_steps", "suspension", "usurpation", "slow_disk", "failed_sync", "failed_sync_once",
    "disk_full", "lost_write", "torn_write", "lost_pages", "flipped_bit", "older_copy",
    "wiped_disk", "clock", "readmission", "wall_clock", "snapshot", "install", "wild_clock",
    "paused_check", "leased_read", "effect", "reconciled", "coup", "read", "dawdling", "echo",
    "relic", "deaf", "lost_witness",
)  # fmt: skip
"""Every fault, and what is done with snapshots.

One that a campaign of `ENOUGH` seeds never meets is a fault of the campaign.
"""

OTHERS = {
    "loss", "duplication", "straggling", "corruption", "replay", "replay_minutes_old", "small",
    "filter", "cut", "install", "dawdling", "echo",
}  # fmt: skip
"""What a cluster of one never meets: it has nobody to talk to."""

MINORITY = {"flipped_bit", "older_copy", "wiped_disk", "readmission", "lost_witness"}
"""What is done only where a node may be lost and the others still decide."""

SIZES = (*(3,) * 8, 4, 5)
"""How many nodes a run has that is not told: majorities of other sizes have other bugs."""

ENOUGH = 500
"""So many seeds meet every fault."""

MOST_RUNS = 300
"""In how many runs a plan is made shorter."""


@frozen
class Setting:
    """What the runs of a campaign have in common."""

    nodes: int | None = None
    """How many nodes; None for 3 in most seeds, and 4 or 5 in some."""
    duration: float = 4.0
    clients: int = 4
    mutant: str = ""
    """A known bug that is put into the roles; then the first violation ends the campaign."""


@define
class Campaign:
    """The sum of many runs."""

    setting: Setting
    seeds: int = 0
    events: int = 0
    answered: int = 0
    seconds: float = 0.0
    faults: Counter[str] = field(factory=Counter)
    violations: list[Outcome] = field(factory=list)
    _digests: dict[int, str] = field(factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Add one run."""
        self.seeds += 1
        self.events += outcome.events
        self.answered += outcome.answered
        self.faults.update(outcome.faults)
        self._digests[outcome.seed] = outcome.trace_sha256
        if outcome.violation:
            self.violations.append(outcome)

    @property
    def trace_sha256(self) -> str:
        """The digest of all traces, in the order of the seeds."""
        digests = (self._digests[seed] for seed in sorted(self._digests))
        return sha256("".join(digests).encode()).hexdigest()

    @property
    def missing(self) -> tuple[str, ...]:
        """Faults that never fired, though there were seeds enough."""
        if self.seeds < ENOUGH or self.setting.mutant:
            return ()
        nodes = self.setting.nodes or 3
        never = (OTHERS if nodes == 1 else set()) | (MINORITY if nodes < 3 else set())
        return tuple(f for f in EXPECTED if f not in never and not self.faults[f])


def run_seed(seed: int, setting: Setting, plan: Plan | None = None) -> Outcome:
    """Run one seed."""
    with mutated(setting.mutant) if setting.mutant else nullcontext():
        return simulation_of(seed, setting, plan).run()


def simulation_of(
    seed: int, setting: Setting, plan: Plan | None = None, *, keep_trace: bool = False
) -> Simulation:
    """Return the simulation of a seed, before it runs."""
    return Simulation(
        seed,
        setting.nodes or Random(f"{seed}/nodes").choice(SIZES),  # noqa: S311 - reproducible
        duration=setting.duration,
        clients=setting.clients,
        plan=plan,
        keep_trace=keep_trace,
    )


def run_seeds(seeds: Iterable[int], setting: Setting) -> list[Outcome]:
    """Run some seeds, one after another, unless the campaign has ended."""
    outcomes: list[Outcome] = []
    for seed in seeds:
        if has_ended():
            break
        outcomes.append(run_seed(seed, setting))
        if setting.mutant and outcomes[-1].violation:
            break
    return outcomes


Run = Callable[[Iterator[range], Setting], Generator[list[Outcome]]]
"""Runs chunks of seeds somewhere, in any order."""


def run_campaign(
    seeds: range,
    setting: Setting,
    jobs: int = 1,
    progress: Callable[[int], None] = lambda n: None,
    run: Run | None = None,
) -> Campaign:
    """Run the seeds on ``jobs`` processes, or by ``run``.

    ``progress`` hears how many more are done.
    """
    if run is None:
        run = _run_here if jobs == 1 else partial(run_in_processes, jobs=jobs, work=run_seeds)
    chunks = (seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK))
    campaign, began = Campaign(setting), time.monotonic()
    with closing(run(chunks, setting)) as results:
        for outcomes in results:
            for outcome in outcomes:
                campaign.add(outcome)
            progress(len(outcomes))
            if setting.mutant and campaign.violations:
                break
    campaign.seconds = time.monotonic() - began
    campaign.violations.sort(key=lambda outcome: outcome.seed)
    return campaign


def _run_here(chunks: Iterator[range], setting: Setting) -> Generator[list[Outcome]]:
    return (run_seeds(chunk, setting) for chunk in chunks)


def shrink(plan: Plan, run: Callable[[Plan], Outcome], most: int = MOST_RUNS) -> Plan:
    """Return a shortest plan with which ``run`` still fails in the same way, as far as found.

    It leaves out ever smaller parts of the plan, in at most ``most`` runs (delta debugging: Zeller
    and Hildebrandt, 2002).
    """
    kind = kind_of(run(plan).violation)
    parts = 2
    while len(plan) >= 1 and most > 0:
        size = max(1, len(plan) // parts)
        for start in range(0, len(plan), size):
            most -= 1
            shorter = plan[:start] + plan[start + size :]
            if kind_of(run(shorter).violation) == kind:
                plan, parts = shorter, max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(2 * parts, len(plan))
    return plan


def kind_of(violation: str) -> str:
    """Return the words of a violation without its names and numbers: what kind it is."""
    first_line = violation.partition("\n")[0]
    return " ".join(word for word in first_line.split() if word.isalpha())
