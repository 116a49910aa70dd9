from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxos.replicated import sessions as module
from paxos.replicated.sessions import (
    MAX_CLIENTS,
    MAX_KEPT_ANSWER,
    SESSION_WINDOW,
    AppliedNumbers,
    Sessions,
)
from paxos.replicated.values import Command, Session


def command(name: str, number: int, boot: int = 0) -> Command:
    return Command(Session(name, boot), number, b"x")


def test_number_is_new_once() -> None:
    applied = AppliedNumbers(boot=1)
    assert [applied.add(number) for number in (0, 0, 2, 2, 1, 1, 0)] == [
        *(True, False, True, False, True, False, False)
    ]


def test_numbers_in_a_row_are_remembered_as_one_bound() -> None:
    applied = AppliedNumbers(boot=1)
    numbers = list(range(1000))
    Random(1).shuffle(numbers)
    assert all(applied.add(number) for number in numbers)
    assert (applied.low, applied.above) == (1000, set())


def test_number_within_the_window_is_taken_late() -> None:
    applied = AppliedNumbers(boot=1)
    assert applied.add(SESSION_WINDOW - 1)
    assert applied.low == 0
    assert applied.add(0)


def test_number_behind_the_window_is_refused_since_it_may_have_been_applied() -> None:
    applied = AppliedNumbers(boot=1)
    assert applied.add(SESSION_WINDOW)
    assert applied.low == 1
    assert not applied.add(0)
    assert applied.add(1)


def test_huge_leap_forgets_what_lies_behind() -> None:
    applied = AppliedNumbers(boot=1)
    assert applied.add(5)
    assert applied.add(2**62)
    assert not applied.add(5)
    assert not applied.add(6)
    assert applied.above == {2**62}
    assert applied.add(2**62 + 1)
    assert applied.add(2**62 - SESSION_WINDOW + 2)


def test_memory_stays_within_the_window_when_every_second_number_is_missing() -> None:
    applied = AppliedNumbers(boot=1)
    for number in range(0, 4 * SESSION_WINDOW, 2):
        assert applied.add(number)
    assert len(applied.above) <= SESSION_WINDOW // 2
    assert not applied.add(1)


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 20))
def test_no_number_is_ever_new_twice(numbers: list[int], window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SESSION_WINDOW", window)
        applied = AppliedNumbers(boot=1)
        seen: set[int] = set()
        for number in numbers:
            new = applied.add(number)
            recent = number > max(seen, default=-1) - window
            assert new == (number not in seen and recent)
            if new:
                seen.add(number)
            assert all(other >= applied.low for other in applied.above)


@given(st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=4), max_size=12))
def test_run_is_taken_whole_only_where_each_of_its_commands_is_new(runs: list[list[int]]) -> None:
    sessions, one_by_one = Sessions(), Sessions()
    for numbers in runs:
        run = [command("node1", number) for number in numbers]
        taken = sessions.take_run(run[0].session, run)
        first = [taken or sessions.first_time(one) for one in run]
        assert first == [one_by_one.first_time(one) for one in run]
        assert sessions == one_by_one


def test_run_that_comes_next_is_taken_whole() -> None:
    sessions = Sessions({"node1": AppliedNumbers(boot=0)})

    def taken(*numbers: int) -> bool:
        return sessions.take_run(Session("node1", 0), [command("node1", n) for n in numbers])

    assert taken(0, 1, 2)
    assert not taken(2, 3)
    assert not taken(4)
    assert not taken(3, 5)
    assert taken(3, 4)
    assert sessions.nodes["node1"] == AppliedNumbers(boot=0, low=5)


def test_run_is_not_taken_whole_over_a_number_that_came_before_its_turn() -> None:
    sessions = Sessions()
    run = [command("node1", number) for number in (0, 1, 2)]
    assert sessions.first_time(run[2])
    assert not sessions.take_run(Session("node1", 0), run)
    assert [sessions.first_time(one) for one in run] == [True, True, False]


def test_run_of_another_life_or_of_an_unknown_node_is_not_taken_whole() -> None:
    sessions = Sessions()
    first, second = command("node1", 0, boot=2), command("node1", 1, boot=2)
    assert not sessions.take_run(first.session, [first])
    assert sessions.first_time(first)
    assert not sessions.take_run(Session("node1", 1), [command("node1", 1, boot=1)])
    assert sessions.take_run(second.session, [second])
    assert not sessions.first_time(second)


def test_newer_life_of_a_node_ends_its_older_one() -> None:
    sessions = Sessions()
    assert sessions.first_time(command("node1", 7, boot=1))
    assert sessions.first_time(command("node1", 7, boot=2))
    assert not sessions.first_time(command("node1", 8, boot=1))
    assert not sessions.first_time(command("node1", 7, boot=2))
    assert sessions.first_time(command("node2", 7, boot=1))


def test_clients_command_is_new_only_above_its_last() -> None:
    sessions = Sessions()
    for number, new in ((1, True), (3, True), (3, False), (2, False), (4, True)):
        assert sessions.first_time(command("client-1", number)) == new
        if new:
            sessions.keep(command("client-1", number), 10 + number, b"answer")
    assert not sessions.first_time(command("client-1", 4))


def test_clients_answer_is_kept_until_its_next_command() -> None:
    sessions = Sessions()
    sessions.keep(command("client-1", 1), 5, b"one")
    answered = sessions.answered(command("client-1", 1))
    assert answered is not None
    assert (answered.slot, answered.result) == (5, b"one")
    sessions.keep(command("client-1", 2), 6, b"two")
    assert sessions.answered(command("client-1", 1)) is None


def test_long_answer_is_not_kept_but_its_slot_is() -> None:
    sessions = Sessions()
    for length, kept in ((MAX_KEPT_ANSWER, True), (MAX_KEPT_ANSWER + 1, False)):
        sessions.keep(command("client-1", length), 5, bytes(length))
        answered = sessions.answered(command("client-1", length))
        assert answered is not None
        assert (answered.result is not None) == kept
        assert answered.slot == 5


def test_client_that_was_silent_for_longest_is_forgotten_first() -> None:
    sessions = Sessions()
    for number in range(MAX_CLIENTS):
        sessions.keep(command(f"client-{number}", 1), number, b"")
    sessions.keep(command("client-0", 2), MAX_CLIENTS, b"")
    sessions.keep(command("client-new", 1), MAX_CLIENTS, b"")
    assert len(sessions.clients) == MAX_CLIENTS
    assert "client-0" in sessions.clients
    assert "client-1" not in sessions.clients


def test_nothing_is_kept_for_a_node() -> None:
    sessions = Sessions()
    sessions.keep(command("node1", 1), 1, b"x")
    assert sessions.answered(command("node1", 1)) is None
