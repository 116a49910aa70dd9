from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxos.wire.replay import WIDTH, ReplayWindow


def window(*counters: int) -> ReplayWindow:
    result = ReplayWindow()
    for counter in counters:
        assert result.is_new(counter)
        result.add(counter)
    return result


@given(st.lists(st.integers(0, 200), unique=True))
def test_within_its_width_a_window_is_a_set(counters: list[int]) -> None:
    used = window(*counters)
    assert [n for n in range(201) if not used.is_new(n)] == sorted(counters)


@given(st.lists(st.integers(0, 3 * WIDTH), max_size=20))
def test_no_counter_is_ever_new_twice(counters: list[int]) -> None:
    used = ReplayWindow()
    for counter in counters:
        if used.is_new(counter):
            used.add(counter)
        assert not used.is_new(counter)


def test_a_counter_that_was_overtaken_by_less_than_the_width_is_new() -> None:
    assert window(0, WIDTH).is_new(1)


def test_a_counter_that_was_overtaken_by_the_width_counts_as_used() -> None:
    assert not window(0, WIDTH + 1).is_new(1)


def test_the_largest_jump_is_taken() -> None:
    used = window(0, 2**64 - 1)
    assert not used.is_new(0)
    assert not used.is_new(2**64 - 1)
    assert used.is_new(2**64 - 2)


@pytest.mark.parametrize("highest", [None, 3, 20])
def test_a_window_that_begins_after_a_number_knows_nothing_below_as_new(
    highest: int | None,
) -> None:
    begun = ReplayWindow()
    if highest is not None:
        begun.add(highest)
    begun.begin_after(10)
    new = [number for number in range(25) if begun.is_new(number)]
    assert new == [number for number in range(11, 25) if number != highest]
