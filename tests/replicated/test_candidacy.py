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
from paxos.replicated.candidacy import Candidacy, Polling, Serving
from paxos.replicated.messages import Heartbeat, Poll, Polled, Resigned

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


def test_leader_that_lost_its_quorum_tells_those_who_still_hear_it() -> None:
    leader = candidacy("a")
    leader.start()
    leader.wake(0.0)
    ballot = Ballot(1, "a")
    for name in MEMBERS[:2]:
        leader.handle(name, Promise(ballot, 0, 0, ()), 0.0)
    assert isinstance(leader.state, Serving)
    effects = leader.wake(TIMING.suspicion)
    assert Send(("b", "c"), Resigned(ballot)) in effects
    assert "only 0 of 2 others hear it" in leader.why
    follower = candidacy("b")
    follower.handle("a", Heartbeat(ballot, 0, 1, 500, ()), 0.1)
    assert alarm(follower.handle("a", Resigned(ballot), 0.11)) == Wake(0.0, 0.0)


def test_candidate_that_was_refused_says_who_leads() -> None:
    candidate = polling("c")
    polled = Polled(1, 0, False, Ballot(7, "a"), 0)
    candidate.handle("b", polled, 0.01)
    while not candidate.failures:
        candidate.wake(0.1)
    assert candidate.why == "b says that a leads or stands"
