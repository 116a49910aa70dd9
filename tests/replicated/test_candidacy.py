"""Whom a node follows, and when it makes room for another or stands itself."""

from __future__ import annotations

import pytest

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Send
from paxos.protocol.messages import Prepare
from paxos.replicated.candidacy import Candidacy
from paxos.replicated.candidacy_states import Following
from paxos.replicated.messages import Heartbeat, Knock, Poll, Polled, Probe, Refused, Resigned
from tests.replicated.candidates import LED, TIMING, alarm, candidacy, follower, polling, sent


def test_silence_of_a_leader_is_noticed_when_it_is_long_enough_and_not_a_heartbeat_later() -> None:
    follower = candidacy("b")
    now = 7.0
    wake = alarm(follower.handle("a", Heartbeat(Ballot(1, "a"), 0, 1, 500, ()), now))
    while not follower.why:
        now += wake.earliest
        wake = alarm(follower.wake(now))
    assert now == pytest.approx(7.0 + TIMING.suspicion, abs=0.0011)


def test_follower_that_stood_still_itself_does_not_take_that_for_the_silence_of_its_leader() -> (
    None
):
    late, now = follower("b"), 7.0
    late.wake(now + 0.01)
    wake = alarm(late.wake(now + 60))
    assert isinstance(late.state, Following)
    now += 60
    while not late.why:
        now += wake.earliest
        wake = alarm(late.wake(now))
    assert now == pytest.approx(67.0 + TIMING.suspicion - 0.01, abs=0.0011)


def test_follower_that_stands_still_again_and_again_without_hearing_its_leader_suspects_it() -> (
    None
):
    late, now = follower("b"), 7.0
    late.wake(now + 60)
    late.wake(now + 120)
    assert not isinstance(late.state, Following)


def test_waking_a_little_late_is_not_standing_still() -> None:
    late, now = follower("b"), 7.0
    while isinstance(late.state, Following):
        now += 1.9 * TIMING.heartbeat
        late.wake(now)
    assert now <= 7.0 + TIMING.suspicion + 1.9 * TIMING.heartbeat


def welcomes(candidate: Candidacy, source: str) -> bool:
    (polled,) = sent(candidate.handle(source, Poll(1, 0), 0.1))
    assert isinstance(polled, Polled)
    return polled.granted


def test_of_two_that_ask_at_once_the_first_in_rank_goes_first() -> None:
    assert welcomes(polling("c"), "b")
    assert not welcomes(polling("b"), "c")


def test_candidate_that_found_no_quorum_at_once_keeps_nobody_else_from_it() -> None:
    """The others may not hear it for ever, and its rival may be the one whom all hear."""
    assert welcomes(polling("b", attempts=2), "c")


def asks(voter: Candidacy, source: str, now: float, number: int = 1) -> bool:
    (polled,) = sent(voter.handle(source, Poll(number, 0), now))
    assert isinstance(polled, Polled)
    return polled.granted


def test_candidate_of_which_nothing_comes_keeps_others_waiting_once() -> None:
    """It may be heard and hear nobody: then it asks for ever, and never begins a ballot."""
    voter = candidacy("c")
    voter.start()
    assert asks(voter, "a", 1.0)
    assert not asks(voter, "b", 1.001)
    for number in (1, 2):
        assert asks(voter, "a", 1.0 + number, number)
        assert asks(voter, "b", 1.001 + number)


def test_candidate_that_begins_a_ballot_is_made_room_for_again() -> None:
    voter = candidacy("c")
    voter.start()
    assert asks(voter, "a", 1.0)
    voter.handle("a", Prepare(Ballot(1, "a"), 0), 1.002)
    assert asks(voter, "a", 2.0, 2)
    assert not asks(voter, "b", 2.001)


# Refusals: a leader's machine says that its process is gone.


def test_follower_knocks_at_its_leaders_more_often_than_it_hears_it() -> None:
    effects = follower("b").wake(7.01)
    assert Send(("a",), Knock()) in effects
    assert alarm(effects).latest < TIMING.heartbeat


def refused(name: str, now: float = 7.01) -> tuple[Candidacy, Effects]:
    """A follower whose leader was refused and has not answered, and what it does about it."""
    doubting = follower(name)
    effects = doubting.handle("a", Refused(), now)
    assert Send(("a",), Probe(LED)) in effects
    return doubting, doubting.wake(now + alarm(effects).earliest)


def test_refusal_without_an_answer_makes_the_next_in_rank_stand() -> None:
    (poll,) = sent(refused("b")[1])
    assert isinstance(poll, Poll)


def test_refusal_without_an_answer_makes_the_others_stand_in_their_turn() -> None:
    second, effects = refused("c")
    assert not sent(effects)
    assert alarm(effects).earliest >= second.pace.stagger


def test_refusal_of_anybody_but_the_leader_means_nothing() -> None:
    assert follower("b").handle("c", Refused(), 7.01) == ()
    assert candidacy("b").handle("a", Refused(), 7.01) == ()


def test_node_that_hears_the_leader_agrees_to_no_candidacy_and_looks_after_it() -> None:
    (poll,) = sent(refused("b")[1])
    answer, knock = sent(follower("c").handle("b", poll, 7.02))
    assert isinstance(answer, Polled)
    assert not answer.granted
    assert knock == Knock()


def test_refusal_is_believed_once_for_one_ballot() -> None:
    misled, _ = refused("b")
    misled.handle("a", Heartbeat(LED, 0, 2, 500, ()), 7.02)
    assert misled.handle("a", Refused(), 7.03) == ()
    assert misled.why == ""
    misled.handle("c", Heartbeat(Ballot(2, "c"), 0, 1, 500, ()), 7.04)
    assert misled.handle("c", Refused(), 7.05) != ()


def test_answer_is_awaited_for_a_fifth_of_a_heartbeat_however_busy_it_is() -> None:
    """Measured round trips tell how busy a machine is, not how far away the leader."""
    doubting = follower("b")
    doubting.pace.round_trip.add(0.1)
    assert alarm(doubting.handle("a", Refused(), 7.01)).latest == pytest.approx(
        TIMING.heartbeat / 5
    )


def test_who_doubts_the_leader_itself_agrees_with_a_candidate_at_once() -> None:
    doubting = follower("c")
    doubting.handle("a", Refused(), 7.01)
    candidate, effects = refused("b")
    (poll,) = sent(effects)
    effects = doubting.handle("b", poll, 7.011)
    (answer,) = sent(effects)
    assert isinstance(answer, Polled)
    assert answer.granted
    assert alarm(effects).earliest >= doubting.pace.stagger  # and makes room for it
    assert Prepare(Ballot(2, "b"), 0) in sent(candidate.handle("c", answer, 7.0112))


def test_who_declined_and_is_refused_itself_tells_the_candidate_at_once() -> None:
    other = follower("c")
    candidate, effects = refused("b")
    (poll,) = sent(effects)
    other.handle("b", poll, 7.013)
    (answer,) = sent(other.handle("a", Refused(), 7.0131))
    assert isinstance(answer, Polled)
    assert answer.granted
    assert Prepare(Ballot(2, "b"), 0) in sent(candidate.handle("c", answer, 7.0132))


def test_leader_that_resigns_is_replaced_by_whoever_hears_of_it_first() -> None:
    candidate, other = follower("b"), follower("c")
    (poll,) = sent(candidate.handle("a", Resigned(LED), 7.01))
    other.handle("b", poll, 7.0101)  # it still hears the leader, and declines
    (answer,) = sent(other.handle("a", Resigned(LED), 7.0102))
    assert isinstance(answer, Polled)
    assert answer.granted
