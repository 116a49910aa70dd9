"""Schedules that broke real implementations: leases."""

from __future__ import annotations

import pytest

from paxos.replicated.election_decrees import Campaign, Expire, Renew
from paxos.replicated.values import Leadership
from paxos.testing.checkers import NamedElections
from paxos.testing.simulation import Action, Simulation
from tests.replicated.desk import MICROSECONDS, Desk


def test_lease_counts_from_sending_however_late_the_answer_comes() -> None:
    """24: the renewal is sent at 0.5, its answer comes after 0.9 of a lease."""
    desk = Desk()
    desk.lead()
    (first,) = desk.take(desk.office.wake(0.3))
    desk.decide(first, 0.4)
    (renew,) = desk.take(desk.office.wake(0.55))
    desk.decide(renew, 1.24)
    assert desk.office.lease.until == pytest.approx(0.55 + 0.95)
    assert desk.office.holds("billing", 1.49)
    assert not desk.office.holds("billing", 1.51)


def test_answer_that_comes_after_the_lease_saves_nothing() -> None:
    """24, a little later: nobody may go on who has once been without a lease."""
    desk = Desk()
    desk.lead()
    (renew,) = desk.take(desk.office.wake(0.3))
    desk.decide(renew, 0.96)
    assert not desk.office.holds("billing", 0.96)


def test_what_was_granted_before_a_restart_is_honoured_after_it() -> None:
    """25: the leader of the log restarts, and finds a lease in the log that it cannot date."""
    before = Desk()
    before.decide(Campaign(1, MICROSECONDS, "billing", 0, b""), 0.0, by="node2")
    before.decide(Leadership("node2", 1, "billing"), 0.0)
    before.decide(Campaign(1, MICROSECONDS, "billing", 0, b""), 0.0, by="node3")
    after = Desk(boot=2, state=before.state)
    after.numbers = before.numbers
    after.log.serving = True
    assert after.take(after.office.wake(0.9)) == []
    after.decide(Renew(2, MICROSECONDS), 1.8, by="node2")
    assert Expire("node2", 1, 1) not in after.take(after.office.wake(2.8))
    assert after.state.elections.view("billing").leadership == Leadership("node2", 1, "billing")


def test_expiry_that_a_renewal_overtook_is_void() -> None:
    desk = Desk()
    desk.lead()
    (renew,) = desk.take(desk.office.wake(0.5))
    desk.decide(renew, 0.6)
    desk.decide(Expire("node1", 1, 1), 0.7, by="node2")
    assert desk.office.holds("billing", 0.7)


def test_checked_then_paused_leader_is_refused_by_the_resource() -> None:
    """26: it checks its term, is stopped for three leases, resumes, and acts with its old token."""
    plan = (Action(0.0, "pause_checks", (0.2,)),)
    refused = 0
    for seed in range(4):
        simulation = Simulation(seed, plan=plan, duration=3.0)
        assert simulation.run().violation == ""
        refused += simulation.jury.elections.counts["refused acts"]
    assert refused > 0


def test_resource_serves_no_epoch_older_than_one_it_has_served() -> None:
    resource = NamedElections()
    for node, epoch in (("node1", 5), ("node2", 6), ("node1", 5), ("node2", 6)):
        resource.acted(Leadership(node, epoch, "billing"))
    assert resource.counts == {"acts": 3, "refused acts": 1}
