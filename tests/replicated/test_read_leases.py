"""Leases for reads: what is granted, and what the leader counts on."""

from __future__ import annotations

import math

import pytest

from paxos.node.cluster import Timing
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Send
from paxos.protocol.messages import Confirm, Message, Prepare, Promise
from paxos.protocol.quorums import Majority
from paxos.replicated.messages import Heard, Heartbeat, Resigned
from paxos.replicated.read_leases import REST, Grants, ReadLease, length_of
from paxos.replicated.roles import Roles, Turn
from paxos.replicated.values import Session
from paxos.testing.lease_seats import NoMachine

THREE = Majority(("a", "b", "c"))
B1, B2, B3 = Ballot(1, "a"), Ballot(2, "b"), Ballot(3, "c")
SECOND = 1_000_000


def sent(turn: Turn) -> list[Message]:
    return [effect.message for effect in turn.effects if isinstance(effect, Send)]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def held(drift: float = 0.0) -> tuple[ReadLease, Clock]:
    """A leader's lease of a second, by a heartbeat sent at 0 that c answered at 0.5."""
    clock = Clock()
    lease = ReadLease(1.0, drift, clock)
    lease.send(B1, 7)
    lease.on_granted("a", 7, SECOND)
    clock.now = 0.5
    lease.on_granted("c", 7, SECOND)
    return lease, clock


def follower(*, on: bool = True) -> Roles:
    """Node b, long after it has started."""
    timing = Timing(lease_reads=on)
    roles = Roles.begin(Session("b", 1), THREE, timing, NoMachine(), (), journal=lambda: (1, 1))
    roles.admission.admitted = True
    roles.start(-10.0)
    return roles


def beat(roles: Roles, ballot: Ballot, number: int, now: float) -> Heard:
    turn = roles.turn("proposer", [(ballot.node, Heartbeat(ballot, 0, number, 0, ()))], now)
    (heard,) = (m for m in sent(turn) if isinstance(m, Heard))
    return heard


def promises(roles: Roles, ballot: Ballot, now: float) -> bool:
    """Whether a prepare is answered with a promise."""
    turn = roles.turn("acceptor", [(ballot.node, Prepare(ballot, 0))], now)
    return any(isinstance(m, Promise) for m in sent(turn))


def test_lease_counts_from_when_the_heartbeat_was_sent() -> None:
    lease, clock = held()
    clock.now = 0.99
    assert lease.holds(B1, THREE, 0)
    clock.now = 1.0
    assert not lease.holds(B1, THREE, 0)


def test_lease_is_shorter_by_the_drift_of_both_clocks() -> None:
    lease, clock = held(drift=0.2)
    clock.now = 0.66
    assert lease.holds(B1, THREE, 0)
    clock.now = 0.67
    assert not lease.holds(B1, THREE, 0)


def test_lease_is_of_one_ballot_and_of_a_quorum() -> None:
    lease, _ = held()
    assert not lease.holds(B2, THREE, 0)
    assert not lease.holds(B1, Majority(("a", "b", "c", "d", "e")), 0)
    assert not lease.holds(B1, Majority(("a", "b", "d")), 0)
    lease.send(Ballot(4, "a"), 8)
    assert not lease.holds(Ballot(4, "a"), THREE, 0)


def test_answer_to_a_heartbeat_that_was_not_sent_grants_nothing() -> None:
    lease, clock = held()
    clock.now = 0.9
    lease.on_granted("c", 10**15, SECOND)
    assert lease.until["c"] == 1.0


def test_nobody_can_grant_more_than_the_leader_would() -> None:
    lease, _ = held()
    lease.on_granted("b", 7, 10**18)
    lease.on_granted("c", 7, 0)
    assert lease.until == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_without_a_clock_no_lease_holds() -> None:
    lease = ReadLease(1.0)
    lease.send(B1, 7)
    lease.on_granted("a", 7, SECOND)
    assert not lease.holds(B1, Majority(("a",)), 0)


def test_grant_ends_before_a_follower_encourages_a_candidate() -> None:
    timing = Timing(suspicion=2, lease_reads=True)
    assert length_of(timing) <= timing.suspicion / 2
    assert length_of(Timing()) == 0


def test_while_a_grant_runs_no_higher_ballot_is_promised() -> None:
    roles = follower()
    length = length_of(Timing(lease_reads=True))
    assert beat(roles, B2, 1, 0.0).lease == int(length * 1e6)
    assert not promises(roles, B3, length - 0.001)
    assert promises(roles, B3, length)


def test_where_the_setting_is_off_nothing_is_granted_nor_held_back() -> None:
    roles = follower(on=False)
    roles.start(0.0)
    assert beat(roles, B2, 1, 0.0).lease == 0
    assert promises(roles, B3, 0.0)


def test_grant_holds_back_no_lower_ballot_and_no_question_of_the_leader() -> None:
    roles = follower()
    beat(roles, B2, 1, 0.0)
    assert promises(roles, B1, 0.01)
    assert promises(roles, B2, 0.01)
    assert roles.turn("acceptor", [("b", Confirm(B2, 1))], 0.01).effects


def test_acceptor_that_has_promised_a_higher_ballot_grants_nothing() -> None:
    roles = follower()
    assert promises(roles, B3, 0.0)
    assert beat(roles, B2, 1, 0.0).lease == 0


def test_repeated_heartbeat_grants_nothing_anew() -> None:
    roles = follower()
    beat(roles, B2, 1, 0.0)
    again = roles.turn("proposer", [("b", Heartbeat(B2, 0, 1, 0, ()))], 0.05)
    assert not again.effects
    assert promises(roles, B3, 0.08)


def test_node_that_may_not_vote_grants_nothing() -> None:
    roles = follower()
    roles.fail("disk full")
    turn = roles.turn("proposer", [("a", Heartbeat(B1, 0, 1, 0, ()))], 0.0)
    assert not sent(turn)
    assert roles.proposer.candidacy.heartbeats.grants.until == -math.inf


def test_after_a_restart_no_prepare_is_answered_while_an_earlier_grant_may_run() -> None:
    """25, for reads."""
    roles = follower()
    roles.start(5.0)
    length = length_of(Timing(lease_reads=True))
    assert not promises(roles, B1, 5.0 + length - 0.001)
    assert promises(roles, B1, 5.0 + length)


@pytest.mark.parametrize(("source", "ballot", "ends"), [("b", B2, 1), ("a", B2, 0), ("a", B1, 0)])
def test_only_the_leader_itself_ends_a_grant_early(source: str, ballot: Ballot, ends: bool) -> None:
    roles = follower()
    beat(roles, B2, 1, 0.0)
    roles.turn("proposer", [(source, Resigned(ballot))], 0.01)
    assert promises(roles, B3, 0.02) == ends


def test_candidate_that_was_held_back_gets_through_when_it_asks_again() -> None:
    """Or a live leader would keep a node from being readmitted for ever."""
    roles = follower()
    beat(roles, B2, 1, 0.0)
    assert not promises(roles, B3, 0.01)
    assert beat(roles, B2, 2, 0.02).lease == 0
    assert promises(roles, B3, 0.1)


def test_grants_begin_again_some_time_after_a_candidate_was_held_back() -> None:
    grants = Grants(1.0)
    grants.grant(B1, 0.0)
    assert grants.hold_back(B2, 0.5)
    assert not grants.grant(B1, 0.5 + REST - 0.1)
    assert grants.grant(B1, 0.5 + REST)


def test_running_grant_is_not_replaced_by_one_to_a_lower_ballot() -> None:
    grants = Grants(1.0)
    grants.grant(B2, 0.0)
    assert not grants.grant(B1, 0.5)
    assert grants.hold_back(B3, 0.9)
