"""Named elections on a log that is simply there: no two leaders, and every known bug is caught."""

from __future__ import annotations

from collections import Counter

import pytest

from paxos.testing.lease_cluster import LeaseCluster
from paxos.testing.mutants import MUTANTS, mutated

STEPS = 3000
SEEDS = 40


def run(seed: int, drift: float | None = None) -> LeaseCluster:
    cluster = LeaseCluster(seed, nodes=3 + seed % 2, drift=drift)
    for _ in range(STEPS):
        cluster.step()
    return cluster


def test_no_two_believe_to_lead_while_clocks_are_within_the_bound() -> None:
    counts = sum((run(seed).counts for seed in range(SEEDS)), Counter[str]())
    for what in (
        "won",
        "served",
        "refused",
        "restarts",
        "pauses",
        "stalled",
        "expired",
        "deposed",
        "jumps",
    ):
        assert counts[what] > 0, f"no seed has {what}, so this proves little"


def test_beyond_the_bound_two_may_believe_but_the_older_epoch_is_refused() -> None:
    """That what is served never goes back is how the resource is made; epochs have one leader."""
    for seed in range(SEEDS):
        cluster, both = LeaseCluster(seed, drift=0.6), 0
        for _ in range(STEPS):
            cluster.step()
            both += any(len(cluster.believers(name)) > 1 for name in ("blue", "red"))
        newest = cluster.newest
        assert all(newest[name] <= cluster.epochs[name].epoch for name in newest)
        if both and cluster.counts["refused"]:
            return
    pytest.fail("clocks that bad never let two believe, so this proves little")


@pytest.mark.parametrize("name", [n for n, bug in MUTANTS.items() if bug.found_by == "leases"])
def test_bug_is_found_within_a_few_seeds(name: str) -> None:
    with mutated(name):
        for seed in range(2 * SEEDS):
            try:
                run(seed)
            except AssertionError:
                return
    pytest.fail(f"{name} was not found")
