"""Ballots by themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from paxos.protocol.ballot import Ballot

BALLOTS = st.builds(Ballot, st.integers(1, 5), st.text("abc", min_size=1, max_size=2))


@given(BALLOTS, BALLOTS)
def test_ballots_are_totally_ordered_by_number_and_then_by_node(one: Ballot, two: Ballot) -> None:
    assert (one < two) + (one == two) + (one > two) == 1
    if one.number != two.number:
        assert (one < two) == (one.number < two.number)


@given(BALLOTS)
def test_zero_sorts_below_every_ballot(ballot: Ballot) -> None:
    assert ballot > Ballot.ZERO


def test_ballot_is_shown_as_number_and_node() -> None:
    assert str(Ballot(7, "node2")) == "7.node2"
