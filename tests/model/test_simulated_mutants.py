"""Every bug that only a whole simulated node can show is caught there; without it, all is well."""

from __future__ import annotations

import pytest

from paxos.testing.mutants import MUTANTS
from paxos.testing.simulation import Setting, run_seed

KNOWN = {
    "any_answer_is_taken": 13,
    "attempt_is_forgotten": 1,
    "confirms_below_its_promise": 43,
    "late_reader_joins_the_round": 5,
    "leader_answers_without_a_round": 16,
    "leap_drops_the_first_open_vote": 2,
    "one_confirmation_is_enough": 31,
    "one_helper_is_enough": 19,
    "others_are_not_believed": 10,
    "position_jumps_without_the_state": 2,
    "read_point_is_not_waited_for": 1,
    "round_misses_what_is_in_flight": 7,
    "slots_of_a_snapshot_pass_for_empty": 3,
    "snapshot_forgets_open_intents": 3,
    "snapshot_forgets_the_sessions": 2,
    "snapshot_leaves_the_frontier_where_it_was": 2,
    "snapshot_lowers_the_promise": 2,
    "votes_are_not_replaced": 19,
    "witness_is_not_believed": 41,
}
"""By mutant, a seed that caught it; 0 where it is not said. A hint: it saves the search."""

SEARCHED = 2_000
"""Seeds that are tried where the hint is out of date."""

SLOW = ("answer_to_an_earlier_round_is_counted",)
"""Bugs that may take minutes to be caught."""

SIMULATED = [
    pytest.param(name, marks=pytest.mark.campaign) if name in SLOW else name
    for name, bug in MUTANTS.items()
    if bug.found_by == "simulation"
]


@pytest.mark.parametrize("name", SIMULATED)
def test_bug_is_caught_in_fewer_than_2000_seeds(name: str) -> None:
    setting = Setting(mutant=name)
    seeds = (KNOWN.get(name, 0), *range(SEARCHED))
    caught = next((seed for seed in seeds if run_seed(seed, setting).violation), None)
    assert caught is not None
    assert run_seed(caught, Setting()).violation == ""
