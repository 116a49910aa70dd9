from __future__ import annotations

from paxos.replicated.decrees import Carried, Change, Decree, Ruling, Void
from paxos.replicated.election_decrees import (
    Campaign,
    ElectionView,
    Expire,
    HandOver,
    HandOverAsked,
    LeaderChanged,
    Proclaim,
    Renew,
    Renewed,
    Resign,
    SessionEnded,
    Vacant,
)
from paxos.replicated.elections import Elections
from paxos.replicated.values import Leadership, Session

LEASE = 1_000_000


class Log:
    """Decides decrees one after another, and keeps what they changed."""

    def __init__(self) -> None:
        self.elections = Elections()
        self.changes: list[Change] = []
        self.boots: dict[str, int] = {}
        self.renewals: dict[str, int] = {}

    def decide(self, node: str, decree: Decree) -> Ruling:
        self.changes.clear()
        session = Session(node, self.boots.get(node, 1))
        return self.elections.apply(decree, session, self.changes)  # type: ignore[arg-type]

    def restart(self, node: str) -> None:
        self.boots[node] = self.boots.get(node, 1) + 1

    def campaign(self, node: str, priority: int = 0, election: str = "billing") -> Ruling:
        renewal = self.renewals[node] = self.renewals.get(node, 0) + 1
        value = node.encode()
        return self.decide(node, Campaign(renewal, LEASE, election, priority, value))

    def appoint(self, node: str, epoch: int, election: str = "billing") -> Ruling:
        return self.decide("node9", Leadership(node, epoch, election))

    def expire(self, node: str) -> Ruling:
        session = self.elections.sessions[node]
        return self.decide("node9", Expire(node, session.boot, session.renewal))

    @property
    def view(self) -> ElectionView:
        return self.elections.view("billing")

    @property
    def roster(self) -> list[str]:
        return [candidate.node for candidate in self.elections.candidates("billing")]


def ruled(*leaders: str) -> Log:
    """Return a log in which these have led billing, one after another; the last one still does."""
    log = Log()
    for epoch, node in enumerate(leaders, 1):
        if epoch > 1:
            log.decide(leaders[epoch - 2], Resign("billing"))
        log.campaign(node)
        assert log.appoint(node, epoch) == Carried()
    return log


def test_candidate_is_appointed_and_leads() -> None:
    log = ruled("node1")
    assert log.view == ElectionView(Leadership("node1", 1, "billing"), b"node1", "")
    assert log.changes == [LeaderChanged("billing", log.view)]
    assert log.roster == []


def test_candidate_is_news_where_nobody_leads_also_if_it_renews_nothing() -> None:
    log = ruled("node1")
    shared = log.renewals["node2"] = 1
    log.decide("node2", Campaign(shared, LEASE, "billing", 0, b""))
    assert log.changes == [Renewed("node2", 1, shared)]
    log.decide("node2", Campaign(shared, LEASE, "shipping", 0, b""))
    assert log.changes == [Vacant("shipping")]


def test_election_of_which_nobody_has_heard_has_no_leader() -> None:
    assert Log().view == ElectionView(None, b"", "nobody has led yet")
    assert Log().roster == []


def test_nobody_is_appointed_while_another_leads() -> None:
    log = ruled("node1")
    log.campaign("node2")
    for epoch in (1, 2, 3):
        assert isinstance(log.appoint("node2", epoch), Void)
    assert log.view.leadership == Leadership("node1", 1, "billing")


def test_epochs_rise_by_one_also_for_the_same_leader() -> None:
    log = ruled("node1", "node1", "node2")
    assert log.view.leadership == Leadership("node2", 3, "billing")
    log.decide("node2", Resign("billing"))
    log.campaign("node1")
    for wrong in (3, 5, 0):
        assert isinstance(log.appoint("node1", wrong), Void)
    assert log.appoint("node1", 4) == Carried()


def test_epoch_is_constant_through_renewals_and_proclamations() -> None:
    log = ruled("node1")
    for renewal in range(2, 9):
        log.decide("node1", Renew(renewal, LEASE))
    assert log.decide("node1", Proclaim("billing", 1, b"new")) == Carried()
    assert log.view == ElectionView(Leadership("node1", 1, "billing"), b"new", "")
    assert log.changes == [LeaderChanged("billing", log.view)]


def test_leader_that_campaigns_again_gets_a_new_epoch_at_the_end_of_the_queue() -> None:
    log = ruled("node1")
    log.campaign("node2")
    log.campaign("node1")
    assert log.view.reason == "resigned"
    assert log.roster == ["node2", "node1"]


def test_roster_is_in_order_of_priority_then_of_arrival() -> None:
    log = Log()
    for node, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)):
        log.campaign(node, priority)
    assert log.roster == ["b", "d", "a", "c", "e"]


def test_any_candidate_may_be_appointed_and_the_others_keep_their_places() -> None:
    log = Log()
    for node in "abc":
        log.campaign(node)
    assert log.appoint("d", 1) == Void("d is no candidate of billing")
    assert log.appoint("b", 1) == Carried()
    assert log.roster == ["a", "c"]


def test_only_the_leader_of_the_epoch_proclaims() -> None:
    log = ruled("node1", "node2")
    for node, epoch in (("node1", 1), ("node1", 2), ("node2", 1), ("node3", 2)):
        assert isinstance(log.decide(node, Proclaim("billing", epoch, b"x")), Void)
    assert log.view.value == b"node2"


def test_candidate_that_resigns_leaves_the_roster_and_one_that_is_not_there_changes_nothing() -> (
    None
):
    log = ruled("node1")
    log.campaign("node2")
    log.decide("node2", Resign("billing"))
    assert log.roster == []
    for node in ("node2", "node3"):
        assert log.decide(node, Resign("billing")) == Carried()
        assert log.changes == []
    assert log.view.leadership is not None


def test_expiry_ends_every_candidacy_and_term_of_the_node() -> None:
    log = ruled("node1")
    log.campaign("node1", election="reports")
    log.campaign("node2")
    assert log.expire("node1") == Carried()
    assert log.view == ElectionView(None, b"", "expired")
    assert log.elections.candidates("reports") == ()
    assert log.changes == [LeaderChanged("billing", log.view), SessionEnded("node1", 1)]
    assert list(log.elections.vacant) == ["billing"]


def test_expiry_is_void_if_a_newer_renewal_was_chosen_before_it() -> None:
    log = ruled("node1")
    stale = Expire("node1", 1, 1)
    assert log.decide("node1", Renew(2, LEASE)) == Carried()
    assert log.changes == [Renewed("node1", 1, 2)]
    assert isinstance(log.decide("node2", stale), Void)
    assert log.view.leadership is not None


def test_expiry_of_a_former_life_is_void() -> None:
    log = ruled("node1")
    log.restart("node1")
    log.campaign("node1")
    assert isinstance(log.decide("node2", Expire("node1", 1, 1)), Void)
    assert log.roster == ["node1"]


def test_renewal_that_was_overtaken_changes_nothing() -> None:
    log = ruled("node1")
    log.decide("node1", Renew(5, LEASE))
    log.decide("node1", Renew(4, LEASE))
    assert log.changes == []
    assert log.elections.sessions["node1"].renewal == 5


def test_new_life_of_a_node_ends_its_session_at_once() -> None:
    log = ruled("node1")
    log.campaign("node2")
    log.restart("node1")
    log.decide("node1", Renew(1, LEASE))
    assert log.view == ElectionView(None, b"", "restarted")
    assert log.changes[:2] == [LeaderChanged("billing", log.view), SessionEnded("node1", 1)]
    assert log.appoint("node2", 2) == Carried()


def test_former_life_of_a_node_is_not_heard_any_more() -> None:
    log = ruled("node1")
    log.restart("node1")
    log.decide("node1", Renew(1, LEASE))
    log.boots["node1"] = 1
    assert isinstance(log.campaign("node1"), Void)
    assert log.roster == []


def test_hand_over_asks_the_leader_and_puts_the_heir_first() -> None:
    log = ruled("node1")
    log.campaign("node2", priority=9)
    log.campaign("node3")
    assert log.decide("node2", HandOver("billing", 1, "node3")) == Carried()
    assert log.changes == [HandOverAsked("billing", 1, "node3")]
    assert log.view.leadership is not None
    log.decide("node1", Resign("billing"))
    assert log.roster == ["node3", "node2"]
    assert log.appoint("node3", 2) == Carried()
    log.decide("node3", Resign("billing"))
    assert log.roster == ["node2"]


def test_hand_over_to_who_is_no_candidate_or_in_another_epoch_is_void() -> None:
    log = ruled("node1")
    log.campaign("node2")
    assert log.decide("node1", HandOver("billing", 1, "node3")) == Void(
        "node3 is no candidate of billing; the candidates are: node2"
    )
    assert isinstance(log.decide("node1", HandOver("billing", 2, "node2")), Void)
    assert log.changes == []


def test_elections_are_vacant_while_candidates_wait_and_nobody_leads() -> None:
    log = Log()
    log.campaign("node1")
    log.campaign("node2")
    assert list(log.elections.vacant) == ["billing"]
    log.appoint("node1", 1)
    assert list(log.elections.vacant) == []
    log.decide("node1", Resign("billing"))
    assert list(log.elections.vacant) == ["billing"]
    log.decide("node2", Resign("billing"))
    assert list(log.elections.vacant) == []


def test_terms_of_a_node_are_counted_from_its_appointment_to_its_end() -> None:
    log = Log()
    log.campaign("node1")
    log.campaign("node1", election="reports")
    assert log.elections.sessions["node1"].terms == 0
    log.appoint("node1", 1)
    assert log.elections.sessions["node1"].terms == 1
    log.appoint("node1", 1, "reports")
    assert log.elections.sessions["node1"].terms == 2
    log.decide("node1", Resign("billing"))
    assert log.elections.sessions["node1"].terms == 1
    log.expire("node1")
    assert log.elections.sessions["node1"].terms == 0
