"""Every known bug of reads is caught, and by the same means nothing is found without one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from paxos.testing.mutants import MUTANTS, mutated
from paxos.testing.simulation import Setting, run_seed
from tests.replicated import test_reading as reading
from tests.schedules import test_reads as schedules

SHOWN: dict[str, Callable[[], None]] = {
    "leader_answers_without_a_round": reading.test_leader_answers_all_who_wait_after_one_round,
    "answer_to_an_earlier_round_is_counted": (
        schedules.test_leader_that_was_paused_in_its_round_answers_only_who_asked_before_it_began
    ),
    "one_confirmation_is_enough": reading.test_leader_answers_all_who_wait_after_one_round,
    "confirms_below_its_promise": (
        schedules.test_deposed_leader_answers_no_read_after_its_successor_has_written
    ),
    "late_reader_joins_the_round": (
        reading.test_who_comes_while_a_round_is_under_way_waits_for_the_next
    ),
    "any_answer_is_taken": reading.test_answer_to_an_earlier_life_or_question_is_not_taken,
    "read_point_is_not_waited_for": reading.test_reader_waits_until_its_read_point_is_applied,
    "round_misses_what_is_in_flight": (
        schedules.test_round_covers_what_the_ballot_found_and_what_it_proposed
    ),
}
"""By bug, a schedule that shows it."""

QUICK = Setting(duration=2.0)
SEEDS = 150


@pytest.mark.parametrize("name", SHOWN)
def test_bug_of_reads_is_shown_by_a_schedule(name: str) -> None:
    with mutated(name), pytest.raises(AssertionError):
        SHOWN[name]()


@pytest.mark.parametrize(
    "name",
    ["late_reader_joins_the_round", "read_point_is_not_waited_for"],
)
def test_bug_of_reads_is_seen_in_a_simulated_run(name: str) -> None:
    with mutated(name):
        assert any("may read its state" in run_seed(s, QUICK).violation for s in range(SEEDS))


def test_every_bug_of_reads_is_shown() -> None:
    assert {name for name, bug in MUTANTS.items() if bug.schedule == 27} <= set(SHOWN)
