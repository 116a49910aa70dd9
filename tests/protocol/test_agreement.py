"""The three roles together, under every fault that an asynchronous network may have."""

from __future__ import annotations

import pytest

from paxos.protocol.effects import Persist
from paxos.testing.roles import RoleCluster

CASES = [  # nodes, proposers, slots, steps
    (1, 1, 4, 60),
    (3, 2, 1, 120),
    (3, 3, 1, 120),
    (5, 2, 1, 150),
    (5, 3, 1, 200),
    (3, 2, 12, 400),
    (3, 3, 12, 400),
    (5, 3, 12, 600),
]


@pytest.mark.parametrize(("nodes", "proposers", "slots", "steps"), CASES)
def test_duelling_proposers_agree_and_the_network_once_healed_lets_them_progress(
    nodes: int, proposers: int, slots: int, steps: int
) -> None:
    crashes = decided = 0
    for seed in range(100):
        cluster = RoleCluster(seed, nodes, proposers, slots)
        for _ in range(steps):
            cluster.step()
        crashes += cluster.crashes
        decided += len(cluster.invariants.chosen)
        cluster.settle()
        logs = [seat.log for seat in cluster.seats.values()]
        assert all(log == logs[0] for log in logs)
    assert decided > 0, "nothing was decided under faults: the test is vacuous"
    assert crashes > 0, "nothing crashed: the test is vacuous"


def test_equal_seeds_make_equal_runs() -> None:
    one, two = RoleCluster(7, slots=3), RoleCluster(7, slots=3)
    for _ in range(200):
        one.step()
        two.step()
    assert one.seats == two.seats
    assert one.bag == two.bag


def test_invariants_notice_a_promise_that_was_forgotten() -> None:
    cluster = RoleCluster(0)
    for effect in (seat := cluster.seats["a"]).proposer.prepare(0):
        if isinstance(effect, Persist):
            cluster.invariants.persisted("a", effect.record)
    cluster.invariants.promised["a"] = seat.proposer.highest
    with pytest.raises(AssertionError, match="a forgot a promise"):
        cluster.settle()
