"""Leases for reads: none holds once another ballot could decide, and every known bug is caught."""

from __future__ import annotations

from collections import Counter

import pytest

from paxos.testing.mutants import MUTANTS, mutated
from paxos.testing.read_lease_cluster import ReadLeaseCluster

STEPS = 3000
SEEDS = 30


def run_all(seeds: int, drift: float) -> None:
    for seed in range(seeds):
        run(seed, drift)


def run(seed: int, drift: float = 0.05) -> ReadLeaseCluster:
    cluster = ReadLeaseCluster(seed, nodes=(3, 3, 1, 3, 5)[seed % 5], drift=drift)
    for _ in range(STEPS):
        cluster.step()
    return cluster


def test_no_lease_holds_once_a_higher_ballot_has_completed_phase_1() -> None:
    counts = sum((run(seed).counts for seed in range(SEEDS)), Counter[str]())
    for what in ("held", "without", "held back", "restarts", "suspensions"):
        assert counts[what] > 100, f"hardly a seed has {what}, so this proves little"


def test_beyond_the_bound_a_lease_may_hold_too_long() -> None:
    """What is assumed of the clocks is not assumed for nothing."""
    with pytest.raises(AssertionError, match="relies on"):
        run_all(10 * SEEDS, drift=0.5)


@pytest.mark.parametrize("name", [n for n, bug in MUTANTS.items() if bug.found_by == "read leases"])
def test_bug_is_found_within_a_few_seeds(name: str) -> None:
    with mutated(name), pytest.raises(AssertionError, match="relies on"):
        run_all(10 * SEEDS, drift=0.05)
