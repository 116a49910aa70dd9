"""Who stands when: without clocks, messages are handed over one by one."""

from __future__ import annotations

import pytest

from paxos.node.cluster import Timing
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Persist, Send, Wake
from paxos.protocol.messages import Message, Prepare, Promise
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Begun
from paxos.replicated.admission import Admission
from paxos.replicated.candidacy import Candidacy, Following, Polling, Serving
from paxos.replicated.messages import Heard, Heartbeat, Poll, Polled, Probe, Refused, Resigned

MEMBERS = ("a", "b", "c")
TIMING = Timing(heartbeat=0.025, suspicion=0.15)


def candidacy(name: str = "a", members: tuple[str, ...] = MEMBERS) -> Candidacy:
    quorums = Majority(members)
    admission = Admission(name, quorums, TIMING, lambda: (1, 1))
    admission.admitted = True
    return Candidacy(Proposer(name, quorums), TIMING, admission)


def sent(effects: Effects) -> list[Message]:
    return [effect.message for effect in effects if isinstance(effect, Send)]


def alarm(effects: Effects) -> Wake:
    (wake,) = (effect for effect in effects if isinstance(effect, Wake))
    return wake


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


def test_silence_of_a_leader_is_noticed_when_it_is_long_enough_and_not_a_heartbeat_later() -> None:
    follower = candidacy("b")
    now = 7.0
    wake = alarm(follower.handle("a", Heartbeat(Ballot(1, "a"), 0, 1, 500, ()), now))
    while not follower.why:
        now += wake.earliest
        wake = alarm(follower.wake(now))
    assert now == pytest.approx(7.0 + TIMING.suspicion, abs=0.0011)


def polling(name: str, attempts: int = 1) -> Candidacy:
    """Return a candidate that has asked so often and was answered by nobody."""
    candidate = candidacy(name)
    candidate.start()
    for _ in range(attempts):
        candidate.wake(0.0)
    assert isinstance(candidate.state, Polling)
    return candidate


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


BALLOT = Ballot(1, "a")


def serving() -> Candidacy:
    """Return a leader, at time 0."""
    leader = candidacy("a")
    leader.start()
    leader.wake(0.0)
    for name in MEMBERS[:2]:
        leader.handle(name, Promise(BALLOT, 0, 0, ()), 0.0)
    assert isinstance(leader.state, Serving)
    return leader


def beats(leader: Candidacy, since: float, seconds: float) -> Effects:
    """Let a leader that nobody answers beat in time; return what the last beat led to."""
    effects: Effects = ()
    for number in range(1, round(seconds / TIMING.heartbeat) + 1):
        effects = leader.wake(since + number * TIMING.heartbeat)
    return effects


def test_leader_that_lost_its_quorum_tells_those_who_still_hear_it() -> None:
    leader, ballot = serving(), BALLOT
    effects = beats(leader, 0.0, TIMING.suspicion)
    assert Send(("b", "c"), Resigned(ballot)) in effects
    assert "only 0 of 2 others hear it" in leader.why
    follower = candidacy("b")
    follower.handle("a", Heartbeat(ballot, 0, 1, 500, ()), 0.1)
    (poll,) = sent(follower.handle("a", Resigned(ballot), 0.11))
    assert isinstance(poll, Poll)


def test_leader_that_stood_still_itself_does_not_take_that_for_the_silence_of_others() -> None:
    leader = serving()
    beats(leader, 0.0, 0.05)
    leader.wake(60.0)
    assert isinstance(leader.state, Serving)
    leader.handle("b", Heard(BALLOT, 0, 1, leader.admission.own), 60.001)
    leader.wake(120.0)
    assert isinstance(leader.state, Serving)


def test_leader_that_stands_still_again_and_again_and_is_never_answered_gives_up() -> None:
    leader = serving()
    leader.wake(60.0)
    leader.wake(120.0)
    assert not isinstance(leader.state, Serving)


def following() -> tuple[Candidacy, float]:
    """Return a follower that has just heard its leader, and the time."""
    follower = candidacy("b")
    follower.handle("a", Heartbeat(BALLOT, 0, 1, 500, ()), 7.0)
    return follower, 7.0


def test_follower_that_stood_still_itself_does_not_take_that_for_the_silence_of_its_leader() -> (
    None
):
    follower, now = following()
    follower.wake(now + 0.01)
    wake = alarm(follower.wake(now + 60))
    assert isinstance(follower.state, Following)
    now += 60
    while not follower.why:
        now += wake.earliest
        wake = alarm(follower.wake(now))
    assert now == pytest.approx(67.0 + TIMING.suspicion - 0.01, abs=0.0011)


def test_follower_that_stands_still_again_and_again_without_hearing_its_leader_suspects_it() -> (
    None
):
    follower, now = following()
    follower.wake(now + 60)
    follower.wake(now + 120)
    assert not isinstance(follower.state, Following)


def test_waking_a_little_late_is_not_standing_still() -> None:
    follower, now = following()
    while isinstance(follower.state, Following):
        now += 1.9 * TIMING.heartbeat
        follower.wake(now)
    assert now <= 7.0 + TIMING.suspicion + 1.9 * TIMING.heartbeat


def test_candidate_that_was_refused_says_who_leads() -> None:
    candidate = polling("c")
    polled = Polled(1, 0, False, Ballot(7, "a"), 0)
    candidate.handle("b", polled, 0.01)
    while not candidate.failures:
        candidate.wake(0.1)
    assert candidate.why == "b says that a leads or stands"


# Refusals: a leader's machine says that its process is gone.

LED = Ballot(1, "a")


def follower(name: str, now: float = 7.0) -> Candidacy:
    follower = candidacy(name)
    follower.handle("a", Heartbeat(LED, 0, 1, 500, ()), now)
    return follower


def test_follower_probes_its_leader_more_often_than_it_hears_it() -> None:
    effects = follower("b").wake(7.01)
    assert Send(("a",), Probe(LED, answer=False)) in effects
    assert alarm(effects).latest < TIMING.heartbeat


def refused(name: str, now: float = 7.01) -> tuple[Candidacy, Effects]:
    """A follower whose leader was refused and has not answered, and what it does about it."""
    doubting = follower(name)
    effects = doubting.handle("a", Refused(), now)
    assert Send(("a",), Probe(LED, answer=True)) in effects
    return doubting, doubting.wake(now + alarm(effects).earliest)


def test_refusal_without_an_answer_makes_the_next_in_rank_stand() -> None:
    (poll,) = sent(refused("b")[1])
    assert isinstance(poll, Poll)


def test_refusal_without_an_answer_makes_the_others_stand_in_their_turn() -> None:
    second, effects = refused("c")
    assert not sent(effects)
    assert alarm(effects).earliest >= second.stagger


def test_leader_that_lives_answers_and_is_followed_on() -> None:
    leader, doubting = leading("a"), follower("b")
    ask, wake = doubting.handle("a", Refused(), 7.01)
    assert isinstance(ask, Send)
    assert isinstance(wake, Wake)
    (answer,) = sent(leader.handle("b", ask.message, 8.0))
    doubting.handle("a", answer, 7.0101)
    effects = doubting.wake(7.01 + wake.earliest)
    assert not doubting.why
    assert not any(isinstance(message, Poll) for message in sent(effects))


def test_ordinary_probe_is_not_answered() -> None:
    assert leading("a").handle("b", Probe(LED, answer=False), 8.0) == ()


def leading(name: str) -> Candidacy:
    leader = candidacy(name)
    leader.start()
    leader.wake(7.0)
    for other in MEMBERS[1:]:
        leader.handle(other, Promise(LED, 0, 0, ()), 7.0)
    assert leader.last_leader == name
    return leader


def test_refusal_of_anybody_but_the_leader_means_nothing() -> None:
    assert follower("b").handle("c", Refused(), 7.01) == ()
    assert candidacy("b").handle("a", Refused(), 7.01) == ()


def test_node_that_hears_the_leader_agrees_to_no_candidacy_and_looks_after_it() -> None:
    (poll,) = sent(refused("b")[1])
    answer, probe = sent(follower("c").handle("b", poll, 7.02))
    assert isinstance(answer, Polled)
    assert not answer.granted
    assert probe == Probe(LED, answer=False)


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
    doubting.round_trip.add(0.1)
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
    assert alarm(effects).earliest >= doubting.stagger  # and makes room for it
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
