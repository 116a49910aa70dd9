"""What a leader says to those who hear it, and when it leads no more."""

from __future__ import annotations

from collections import deque

import pytest

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Send, Wake
from paxos.protocol.messages import Rejected
from paxos.protocol.proposer import Leading
from paxos.protocol.values import NOOP
from paxos.replicated.candidacy import Candidacy
from paxos.replicated.candidacy_states import Serving
from paxos.replicated.messages import Heard, Heartbeat, Poll, Probe, Refused, Resigned
from tests.replicated.candidates import LED, TIMING, candidacy, follower, leading, sent


def beats(leader: Candidacy, since: float, seconds: float) -> Effects:
    """Let a leader that nobody answers beat in time; return what the last beat led to."""
    effects: Effects = ()
    for number in range(1, round(seconds / TIMING.heartbeat) + 1):
        effects = leader.wake(since + number * TIMING.heartbeat)
    return effects


def test_leader_that_lost_its_quorum_tells_those_who_still_hear_it() -> None:
    leader = leading(0.0)
    effects = beats(leader, 0.0, TIMING.suspicion)
    assert Send(("b", "c"), Resigned(LED)) in effects
    assert "only 0 of 2 others hear it" in leader.why
    follower = candidacy("b")
    follower.handle("a", Heartbeat(LED, 0, 1, 500, ()), 0.1)
    (poll,) = sent(follower.handle("a", Resigned(LED), 0.11))
    assert isinstance(poll, Poll)


def test_leader_for_which_too_few_vote_of_those_who_hear_it_makes_room_though_all_is_idle() -> None:
    """Nothing of it is in flight that could be stuck; but no read of it would ever be confirmed."""
    leader = leading(0.0)
    leader.handle("a", Rejected(LED, Ballot(LED.number, "c")), 0.0)  # its own acceptor
    heard = Heard(LED, 0, 1, leader.heartbeats.admission.own)
    now = 0.0
    while now < 2 * TIMING.suspicion:
        now += TIMING.heartbeat
        for name in ("b", "c"):
            leader.handle(name, heard, now)
        leader.wake(now)
    assert isinstance(leader.state, Serving)
    lost = now + 2 * TIMING.suspicion
    while isinstance(leader.state, Serving) and now < lost:
        now += TIMING.heartbeat
        leader.handle("b", heard, now)
        leader.wake(now)
    assert not isinstance(leader.state, Serving)
    assert leader.why == "this node led, but too few of those who hear it vote for its ballot"


@pytest.mark.parametrize("resigns", [True, False])
def test_leader_that_leaves_ends_what_its_own_acceptor_granted_it(resigns: bool) -> None:
    """Else its acceptor keeps its successor waiting, and then refuses that one's leases."""
    leader = leading(0.0)
    grants = leader.heartbeats.grants
    grants.length = 60.0
    leader.wake(TIMING.heartbeat)
    successor = Ballot(LED.number + 1, "b")
    assert grants.hold_back(successor, TIMING.heartbeat)
    if resigns:
        leader.resign()
    else:
        beats(leader, 0.0, TIMING.suspicion)
    assert not isinstance(leader.state, Serving)
    assert not grants.hold_back(successor, TIMING.suspicion)


def test_leader_that_stood_still_itself_does_not_take_that_for_the_silence_of_others() -> None:
    leader = leading(0.0)
    beats(leader, 0.0, 0.05)
    leader.wake(60.0)
    assert isinstance(leader.state, Serving)
    leader.handle("b", Heard(LED, 0, 1, leader.heartbeats.admission.own), 60.001)
    leader.wake(120.0)
    assert isinstance(leader.state, Serving)


def test_leader_that_stands_still_again_and_again_and_is_never_answered_gives_up() -> None:
    leader = leading(0.0)
    leader.wake(60.0)
    leader.wake(120.0)
    assert not isinstance(leader.state, Serving)


def test_leader_that_lives_answers_and_is_followed_on() -> None:
    leader, doubting = leading(), follower("b")
    ask, wake = doubting.handle("a", Refused(), 7.01)
    assert isinstance(ask, Send)
    assert isinstance(wake, Wake)
    (answer,) = sent(leader.handle("b", ask.message, 8.0))
    doubting.handle("a", answer, 7.0101)
    effects = doubting.wake(7.01 + wake.earliest)
    assert not doubting.why
    assert not any(isinstance(message, Poll) for message in sent(effects))


def test_probe_of_an_earlier_ballot_is_not_answered() -> None:
    assert leading().handle("b", Probe(Ballot(0, "a")), 8.0) == ()


@pytest.mark.parametrize(("open_slots", "stuck"), [((5, 6), False), ((7, 8), True), ((), True)])
def test_leader_that_proposes_nothing_in_the_slot_that_it_misses_makes_room(
    open_slots: tuple[int, ...], stuck: bool
) -> None:
    """The slot is known to be chosen, and who knows its value may be deaf: nobody proposes it."""
    ballot = Leading(LED, 9, deque(), dict.fromkeys(open_slots, NOOP))
    state = Serving({}, progress=0.0, frontier=5, moved=0.0)
    assert not state.is_stuck(ballot, 5, 0.9, 1.0)
    assert state.is_stuck(ballot, 5, 1.0, 1.0) == stuck
    assert not state.is_stuck(ballot, 6, 1.0, 1.0)  # the log has grown
