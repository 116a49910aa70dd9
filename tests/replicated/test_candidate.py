"""Whether a node asks before it stands, and what becomes of that."""

from __future__ import annotations

import pytest

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Persist, Wake
from paxos.protocol.messages import Prepare
from paxos.protocol.records import Begun
from paxos.replicated.candidacy import Candidacy
from paxos.replicated.candidacy_states import Campaigning, Waiting
from paxos.replicated.messages import Poll, Polled
from tests.replicated.candidates import alarm, candidacy, polling, sent


def test_member_with_the_least_ballot_of_all_need_not_ask() -> None:
    first = candidacy("a")
    assert alarm(first.start()) == Wake(0.0, 0.0)
    effects = first.wake(0.0)
    assert Persist(Begun(Ballot(1, "a"))) in effects
    assert sent(effects) == [Prepare(Ballot(1, "a"), 0)]


@pytest.mark.parametrize("name", ["b", "c"])
def test_member_whose_ballot_could_depose_another_asks(name: str) -> None:
    other = candidacy(name)
    other.start()
    (poll,) = sent(other.wake(0.0))
    assert isinstance(poll, Poll)


def test_first_in_rank_asks_when_its_name_is_not_the_least() -> None:
    first = candidacy("z", ("z", "b", "c"))
    first.start()
    (poll,) = sent(first.wake(0.0))
    assert isinstance(poll, Poll)


def test_member_that_has_begun_a_ballot_in_an_earlier_life_asks() -> None:
    first = candidacy("a")
    first.proposer.recall(Begun(Ballot(1, "a")))
    first.start()
    (poll,) = sent(first.wake(0.0))
    assert isinstance(poll, Poll)


def test_candidate_that_was_refused_says_who_leads() -> None:
    candidate = polling("c")
    polled = Polled(1, 0, False, Ballot(7, "a"), 0)
    candidate.handle("b", polled, 0.01)
    while not candidate.failures:
        candidate.wake(0.1)
    assert candidate.why == "b says that a leads or stands"


def answer(number: int, *, granted: bool) -> Polled:
    return Polled(number, 0, granted, Ballot(7, "a"), 0)


def declined() -> Candidacy:
    """One of four that heard of the leader's end before two others, who still turned it down."""
    candidate = polling("d", members=("a", "b", "c", "d"))
    for name in ("b", "c"):
        candidate.handle(name, answer(1, granted=False), 0.01)
    assert isinstance(candidate.state, Waiting)
    return candidate


def test_candidate_that_was_refused_stands_at_once_when_the_others_agree_after_all() -> None:
    candidate = declined()
    candidate.handle("a", answer(1, granted=True), 0.01)
    candidate.handle("b", answer(1, granted=False), 0.01)
    assert isinstance(candidate.state, Waiting)
    effects = candidate.handle("b", answer(1, granted=True), 0.01)
    assert Prepare(Ballot(8, "d"), 0) in sent(effects)
    assert isinstance(candidate.state, Campaigning)


def test_candidate_that_made_room_for_another_does_not_stand_when_the_others_agree() -> None:
    candidate = declined()
    candidate.handle("b", Poll(1, 0), 0.01)
    for name in ("a", "b", "c"):
        assert not candidate.handle(name, answer(1, granted=True), 0.01)
    assert isinstance(candidate.state, Waiting)


def test_candidate_counts_nobody_who_agreed_to_an_earlier_poll() -> None:
    candidate = declined()
    candidate.wake(1.0)
    for name in ("b", "c"):
        candidate.handle(name, answer(2, granted=False), 1.01)
    for name in ("a", "b", "c"):
        assert not candidate.handle(name, answer(1, granted=True), 1.01)
    assert isinstance(candidate.state, Waiting)
