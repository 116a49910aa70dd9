"""Terms that are checked while their holders are stopped: by their leases, and by the guards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from paxos.testing.mutants import MUTANTS, mutated
from paxos.testing.paused_cluster import PausedCluster

PAUSES = 400
"""How often holders are stopped in one run."""

SEEDS = 8
"""As many runs of every kind belong to the ordinary tests."""

MILLION = 1_000_000

WITHIN, BEYOND = (None,), (0.2, 0.6)
"""By how much the clocks' rates differ from true time: as much as is allowed, or more."""

PLACES = ("the check", "the boot-time clock", "another clock", "the act")

KNOWN = {
    "clocks_are_compared_across_a_stop": 129,
    "boot_time_is_read_first": 3,
    "holder_trusts_its_clock": 69,
    "others_trust_their_clocks": 90,
    "guard_admits_older_epochs": 3,
    "guard_does_not_wait_for_older_acts": 3,
    "sql_guard_admits_older_epochs": 3,
    "sql_guard_forgets": 3,
}
"""By mutant, a seed that caught it; 0 where it is not said. A hint: it saves the search."""

SEARCHED = 300
"""Seeds that are tried where the hint is out of date."""


def run(seed: int, drift: float | None) -> PausedCluster:
    cluster = PausedCluster(seed, nodes=3 + seed % 3, drift=drift)
    while cluster.pauses < PAUSES:
        cluster.step()
    return cluster


def sum_of(seeds: Iterable[int], drifts: tuple[float | None, ...]) -> tuple[int, Counter[str]]:
    pauses, counts = 0, Counter[str]()
    for seed in seeds:
        cluster = run(seed, drifts[seed % len(drifts)])
        pauses, counts = pauses + cluster.pauses, counts + cluster.counts
    for place in PLACES:
        assert counts[f"long before {place}"] > 0, f"nobody was stopped for long before {place}"
    for what in ("checks", "checks failed", "acts", "acts refused", "acts put off", "expired"):
        assert counts[what] > 0, f"no seed has {what}, so this proves little"
    return pauses, counts


def test_whose_check_succeeds_leads_while_clocks_are_within_the_bound() -> None:
    _, counts = sum_of(range(SEEDS), WITHIN)
    assert counts["checks mistaken"] == 0


def test_beyond_the_bound_checks_are_mistaken_and_guards_refuse_the_older_epoch() -> None:
    _, counts = sum_of(range(2 * SEEDS), BEYOND)
    assert counts["checks mistaken"] > 0, "so this proves little"


@pytest.mark.parametrize("name", [n for n, bug in MUTANTS.items() if bug.found_by == "pauses"])
def test_bug_is_found_within_some_thousand_pauses(name: str) -> None:
    with mutated(name):
        for seed in (KNOWN.get(name, 0), *range(SEARCHED)):
            try:
                run(seed, (*WITHIN, *BEYOND)[seed % 3])
            except AssertionError:
                return
    pytest.fail(f"{name} was not found")


@pytest.mark.campaign
def test_a_million_pauses_around_every_check() -> None:
    """Half of them with clocks at the bound, half beyond it; about half an hour."""
    for drifts in (WITHIN, BEYOND):
        pauses, counts = sum_of(range(SEEDS, SEEDS + MILLION // (2 * PAUSES)), drifts)
        assert pauses >= MILLION // 2
        print(f"{pauses:,} pauses, rates {drifts}: {dict(sorted(counts.items()))}")
