"""A term that other threads check while its node hears of its end and of a renewal at once."""

from __future__ import annotations

import pytest

from paxos.errors import LeadershipLost
from paxos.node.clock import Clock
from paxos.node.term import Term
from paxos.replicated.election_decrees import Campaign, Expire, Renew
from paxos.replicated.leases import Lease
from paxos.replicated.values import Batch, Command, Leadership, Session
from paxos.testing.paused_cluster import NodeThere
from tests.replicated.desk import BILLING, MICROSECONDS, Desk

NEXT = Leadership("node2", 2, "billing")


class Thread:
    """Checks a term as soon as its lease was prolonged, before the node does anything else."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.2
        self.passed: list[bool] = []
        self.term = Term(NodeThere(), desk.office, Clock(lambda: self.now, lambda _: 0.0), BILLING)
        chosen = Lease.chosen

        def spied(lease: Lease, renewal: int) -> None:
            before = lease.until
            chosen(lease, renewal)
            if lease.until > before:
                self.check()

        monkeypatch.setattr(Lease, "chosen", spied)

    def check(self) -> None:
        try:
            self.term.check()
        except LeadershipLost:
            self.passed.append(False)
        else:
            self.passed.append(True)


def held(desk: Desk) -> None:
    """Lead, and let another one wait; send a renewal that is not yet decided."""
    desk.lead()
    desk.decide(Campaign(1, MICROSECONDS, "billing", 0, b""), 0.2, by="node2")
    assert desk.take(desk.office.wake(0.5)) == [Renew(2, MICROSECONDS)]


def test_term_that_ends_in_the_slot_of_a_renewal_is_over_for_every_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    held(desk)
    thread = Thread(desk, monkeypatch)
    thread.now = 0.9
    decrees = ((Session("node9", 1), Expire("node1", 1, 1)), (Session("node9", 1), NEXT))
    commands = [Command(session, 100 + n, decree) for n, (session, decree) in enumerate(decrees)]
    commands.append(Command(desk.session, 100, Renew(2, MICROSECONDS)))
    applied = desk.state.apply(desk.state.position, Batch(tuple(commands)), desk.session.node)
    desk.office.applied(applied.changes, (), thread.now)
    assert desk.state.elections.view("billing").leadership == NEXT
    assert thread.passed == [False]


def test_term_that_ends_where_the_state_jumps_is_over_for_every_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, other = Desk(), Desk()
    held(desk)
    held(other)
    other.decide(Expire("node1", 1, 1), 0.8, by="node9")
    other.decide(NEXT, 0.8, by="node9")
    other.decide(Renew(2, MICROSECONDS), 0.8)
    thread = Thread(desk, monkeypatch)
    thread.now = 0.9
    desk.state.restore(other.state.snapshot())
    desk.office.turned(thread.now)
    assert thread.passed == [False]


def test_term_that_has_lapsed_is_not_renewed_for_any_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even for one whose look at the clock was in time."""
    desk = Desk()
    held(desk)
    thread = Thread(desk, monkeypatch)
    thread.now = 0.9
    desk.decide(Renew(2, MICROSECONDS), 0.96)
    assert thread.passed == [False]
