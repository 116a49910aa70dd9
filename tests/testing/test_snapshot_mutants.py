"""Known bugs of snapshots are caught by simulated clusters in which a node misses a lot."""

from __future__ import annotations

import pytest

from paxos.replicated.compaction import Compaction
from paxos.testing.mutants import mutated
from paxos.testing.simulation import Action, Outcome, Simulation

SEEDS = 12

PLAN = (
    Action(0.3, "crash", ("node3",)),
    Action(1.2, "crash", ("node1",)),
    Action(1.22, "start", ("node1",)),
    Action(1.4, "crash", ("node2",)),
    Action(1.42, "start", ("node2",)),
    Action(1.5, "start", ("node3",)),
    Action(2.0, "crash", ("node3",)),
    Action(2.02, "start", ("node3",)),
    Action(2.2, "crash", ("node1",)),
    Action(2.22, "start", ("node1",)),
)
"""One node is away for longer than the log reaches back on the others, which start anew, too."""

BUGS = (
    "snapshot_lowers_the_promise",
    "slots_of_a_snapshot_pass_for_empty",
    "jump_drops_later_votes",
    "snapshot_forgets_the_sessions",
    "position_jumps_without_the_state",
    "snapshot_leaves_the_frontier_where_it_was",
)


def run(seed: int) -> Outcome:
    plan = (Action(0.0, "loss", (0.05,)), *PLAN)
    return Simulation(seed, duration=2.6, plan=plan, compaction=Compaction(slots=3)).run()


def test_without_a_bug_the_laggard_installs_a_snapshot_and_nothing_is_violated() -> None:
    outcomes = [run(seed) for seed in range(SEEDS // 2)]
    assert [outcome.violation for outcome in outcomes if outcome.violation] == []
    assert sum(outcome.faults["install"] for outcome in outcomes) >= SEEDS // 4


@pytest.mark.parametrize("name", BUGS)
def test_bug_is_caught(name: str) -> None:
    with mutated(name):
        assert any(run(seed).violation for seed in range(SEEDS))
