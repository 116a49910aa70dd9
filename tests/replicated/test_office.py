from __future__ import annotations

from paxos.replicated.decrees import Void
from paxos.replicated.election_decrees import Campaign, Expire, HandOver, Renew, Resign
from paxos.replicated.standing import Loss, Lost, Out, Won
from paxos.replicated.state import ReplicatedState
from paxos.replicated.values import Batch, Command, Leadership, Session
from paxos.testing.lease_seats import NoMachine
from tests.replicated.desk import BILLING, MICROSECONDS, Desk


def test_campaign_is_sent_with_a_renewal_and_won_when_the_log_says_so() -> None:
    desk = Desk()
    assert desk.stand() == Campaign(1, MICROSECONDS, "billing", 0, b"v")
    assert desk.decide(Campaign(1, MICROSECONDS, "billing", 0, b"v"), 0.1) == []
    assert desk.done == []
    desk.decide(BILLING, 0.2, by="node9")
    assert desk.done == [Won("billing", 1)]
    assert desk.office.holds("billing", 0.94)
    assert not desk.office.holds("billing", 0.96)


def test_candidate_and_leader_renew_four_times_in_a_lease_with_one_stream_for_all() -> None:
    desk = Desk()
    desk.decide(desk.stand(), 0.01)
    for number in range(100):
        (campaign,) = desk.take(desk.office.stand(f"other{number}", 0, b"", 0.02))
        desk.decide(campaign, 0.02)
    assert desk.take(desk.office.wake(0.26)) == []
    (renew,) = desk.take(desk.office.wake(0.28))
    assert renew == Renew(102, MICROSECONDS)
    assert desk.take(desk.office.wake(0.29)) == []


def test_node_without_any_part_in_an_election_renews_nothing() -> None:
    desk = Desk()
    assert desk.office.wake(5.0) == ()
    desk.lead()
    (resign,) = desk.take(desk.office.leave("billing", 0.2))
    assert desk.decide(resign, 0.3) == []
    assert desk.done == [Out("billing")]
    assert desk.office.wake(9.0) == ()


def test_term_ends_by_the_clock_when_no_renewal_was_chosen() -> None:
    desk = Desk()
    desk.lead()
    for now in (0.3, 0.6, 0.9):
        desk.take(desk.office.wake(now))
        assert desk.done == []
    desk.take(desk.office.wake(0.96))
    assert desk.done == [Lost("billing", Loss.EXPIRED)]
    assert not desk.office.holds("billing", 0.96)


def test_reason_tells_a_node_without_a_leader_of_the_log_and_one_that_did_not_run() -> None:
    desk = Desk()
    desk.lead()
    desk.log.leader = None
    desk.take(desk.office.wake(0.9))
    desk.take(desk.office.wake(0.96))
    assert desk.done == [Lost("billing", Loss.DISCONNECTED)]
    desk = Desk()
    desk.lead()
    desk.take(desk.office.wake(7.0))
    assert desk.done == [Lost("billing", Loss.STALLED)]


def test_lapsed_term_is_not_saved_by_a_renewal_that_was_chosen_in_time() -> None:
    desk = Desk()
    desk.lead()
    (renew,) = desk.take(desk.office.wake(0.5))
    desk.decide(renew, 0.97)
    assert desk.done == [Lost("billing", Loss.EXPIRED)]
    assert not desk.office.holds("billing", 0.97)


def test_expired_term_is_lost_as_soon_as_the_log_says_so() -> None:
    desk = Desk()
    desk.lead()
    desk.decide(Expire("node1", 1, 1), 0.5, by="node9")
    assert desk.done == [Lost("billing", Loss.EXPIRED)]


def test_lost_term_is_resigned_only_when_its_work_has_stopped() -> None:
    desk = Desk()
    desk.lead()
    assert not any(isinstance(d, Resign) for d in desk.take(desk.office.wake(2.0)))
    assert Resign("billing") in desk.take(desk.office.leave("billing", 2.1))


def test_candidate_whose_session_expired_stands_again_by_itself() -> None:
    desk = Desk()
    desk.decide(desk.stand(), 0.1)
    (again,) = desk.decide(Expire("node1", 1, 1), 2.0, by="node9")
    assert again == Campaign(2, MICROSECONDS, "billing", 0, b"v")


def test_campaign_that_is_given_up_while_undecided_is_resigned_after_it() -> None:
    desk = Desk()
    campaign = desk.stand()
    assert desk.take(desk.office.leave("billing", 0.1)) == []
    assert desk.decide(campaign, 0.2) == [Resign("billing")]
    desk.decide(Resign("billing"), 0.3)
    assert desk.done == [Out("billing")]
    assert desk.state.elections.candidates("billing") == ()


def test_leader_elected_when_its_lease_is_over_begins_no_work_and_stands_again() -> None:
    desk = Desk()
    desk.decide(desk.stand(), 0.1)
    (again,) = desk.decide(BILLING, 3.0, by="node9")[:1]
    assert isinstance(again, Campaign)
    assert desk.done == []


def test_hand_over_ends_the_term_as_deposed() -> None:
    desk = Desk()
    desk.lead()
    desk.decide(Campaign(1, MICROSECONDS, "billing", 0, b""), 0.2, by="node2")
    desk.decide(HandOver("billing", 1, "node2"), 0.2, by="node9")
    assert desk.done == [Lost("billing", Loss.DEPOSED)]


def test_refused_campaign_is_out_with_the_reason() -> None:
    desk = Desk()
    campaign = desk.stand()
    desk.take(desk.office.applied((), [(campaign, Void("too many"))], 0.1))
    assert desk.done == [Out("billing", "too many")]
    assert desk.office.standings == {}


def test_leader_of_the_log_appoints_once_and_again_when_that_was_void() -> None:
    desk = Desk()
    desk.log.serving = True
    for node, priority in (("node2", 0), ("node3", 5)):
        wanted = desk.decide(Campaign(1, MICROSECONDS, "billing", priority, b""), 0.1, by=node)
    assert wanted == []  # the appointment of node2 is under way
    desk.decide(Resign("billing"), 0.2, by="node2")
    (appoint,) = desk.decide(Leadership("node2", 1, "billing"), 0.2)
    assert appoint == Leadership("node3", 1, "billing")


def test_leader_of_the_log_expires_once_and_appoints_nobody_who_has_expired() -> None:
    desk = Desk()
    desk.log.serving = True
    desk.decide(Campaign(1, MICROSECONDS, "billing", 0, b""), 0.0, by="node2")
    desk.decide(Leadership("node2", 1, "billing"), 0.0)
    desk.decide(Campaign(1, MICROSECONDS, "billing", 0, b""), 0.5, by="node3")
    assert desk.take(desk.office.wake(1.04)) == []
    assert desk.take(desk.office.wake(1.06)) == [Expire("node2", 1, 1)]
    assert desk.take(desk.office.wake(1.07)) == []
    assert desk.decide(Expire("node2", 1, 1), 1.5) == []  # node3 is silent for too long by now
    assert desk.take(desk.office.wake(1.56)) == [Expire("node3", 1, 1)]


def test_who_does_not_lead_the_log_neither_expires_nor_appoints_until_it_does() -> None:
    desk = Desk()
    desk.decide(Campaign(1, MICROSECONDS, "billing", 0, b""), 0.0, by="node2")
    assert desk.take(desk.office.wake(9.0)) == []
    desk.log.serving = True
    assert desk.take(desk.office.turned(9.1)) == []
    assert desk.take(desk.office.wake(10.16)) == [Expire("node2", 1, 1)]
    assert desk.office.turned(10.2) == ()


def vacant(at: dict[str, float]) -> Desk:
    """Return a log's leader that has heard these candidates, in their order, at these times."""
    desk = Desk()
    for node in at:
        desk.decide(Campaign(1, MICROSECONDS, "billing", 0, b""), 0.0, by=node)
    for node, heard in at.items():
        desk.decide(Renew(2, MICROSECONDS), heard, by=node)
    desk.log.serving = True
    return desk


def test_candidate_that_has_not_renewed_lately_is_passed_over_and_keeps_its_place() -> None:
    desk = vacant({"node2": 0.3, "node3": 0.7})
    (appoint,) = desk.take(desk.office.wake(0.85))
    assert appoint == Leadership("node3", 1, "billing")
    desk.decide(appoint, 0.9)
    assert [c.node for c in desk.state.elections.candidates("billing")] == ["node2"]


def test_candidate_that_answers_no_more_is_passed_over_unless_it_is_the_only_one() -> None:
    desk = vacant({"node2": 0.7, "node3": 0.7})
    desk.log.silent.add("node2")
    assert desk.take(desk.office.wake(0.8)) == [Leadership("node3", 1, "billing")]
    desk = vacant({"node2": 0.7, "node3": 0.1})
    desk.log.silent.add("node2")
    assert desk.take(desk.office.wake(0.8)) == [Leadership("node2", 1, "billing")]


def test_nobody_is_appointed_before_a_candidate_shows_that_it_lives() -> None:
    desk = vacant({"node2": 0.1, "node3": 0.1})
    assert desk.take(desk.office.wake(0.8)) == []
    assert desk.decide(Renew(3, MICROSECONDS), 0.9, by="node3") == [
        Leadership("node3", 1, "billing")
    ]


def test_order_of_the_queue_survives_a_log_without_a_leader_however_long() -> None:
    desk = vacant({"node2": 0.1, "node3": 0.2})
    assert desk.take(desk.office.turned(9.0)) == []
    for node in ("node3", "node2"):
        desk.decide(Renew(3, MICROSECONDS), 9.1, by=node)
    assert [c.node for c in desk.state.elections.candidates("billing")] == ["node2", "node3"]


def test_new_leader_of_the_log_counts_on_what_it_has_applied_before() -> None:
    desk = Desk()
    desk.decide(Campaign(1, MICROSECONDS, "billing", 0, b""), 5.0, by="node2")
    desk.decide(Leadership("node2", 1, "billing"), 5.0, by="node9")
    desk.log.serving = True
    assert desk.take(desk.office.turned(5.9)) == []
    assert desk.take(desk.office.wake(6.06)) == [Expire("node2", 1, 1)]


def test_restarted_node_honours_what_was_granted_before() -> None:
    before = Desk()
    before.decide(Campaign(1, MICROSECONDS, "billing", 0, b""), 0.0, by="node2")
    before.decide(Leadership("node2", 1, "billing"), 0.0, by="node9")
    desk = Desk(boot=2, state=before.state)
    desk.log.serving = True
    assert desk.take(desk.office.wake(0.9)) == []
    assert desk.take(desk.office.wake(1.9)) == []
    assert desk.take(desk.office.wake(1.96)) == [Expire("node2", 1, 1)]


def test_new_life_ends_the_session_of_the_former_one_at_once_and_once() -> None:
    before = Desk()
    before.lead()
    desk = Desk(boot=2, state=before.state)
    (renew,) = desk.take(desk.office.wake(0.2))
    assert renew == Renew(1, MICROSECONDS)
    assert desk.take(desk.office.wake(0.3)) == []
    desk.decide(renew, 0.4)
    assert desk.state.elections.view("billing").reason == "restarted"
    assert desk.office.wake(0.9) == ()


def test_node_whose_journal_failed_renews_nothing_and_its_term_ends() -> None:
    desk = Desk()
    desk.lead()
    desk.office.disabled = True
    assert desk.take(desk.office.wake(0.7)) == []
    assert desk.take(desk.office.wake(0.96)) == []
    assert desk.done == [Lost("billing", Loss.DISCONNECTED)]


def test_state_that_jumps_tells_of_terms_and_renewals_as_the_log_would_have() -> None:
    desk = Desk()
    desk.lead()
    (renew,) = desk.take(desk.office.wake(0.3))
    other = Desk(state=ReplicatedState(NoMachine()))
    other.state.restore(desk.state.snapshot())
    other.numbers = desk.numbers
    other.decide(renew, 0.4)
    desk.state.restore(other.state.snapshot())
    assert desk.take(desk.office.turned(0.5)) == []
    assert desk.done == []
    assert desk.office.holds("billing", 1.2)
    other.decide(Expire("node1", 1, 2), 0.6, by="node2")
    desk.state.restore(other.state.snapshot())
    desk.take(desk.office.turned(0.7))
    assert desk.done == [Lost("billing", Loss.EXPIRED)]


def test_hand_over_that_was_asked_for_where_the_state_jumped_is_not_missed() -> None:
    desk = Desk()
    desk.lead()
    other = Desk(state=ReplicatedState(NoMachine()))
    other.state.restore(desk.state.snapshot())
    other.numbers = desk.numbers
    other.decide(Campaign(1, MICROSECONDS, "billing", 0, b""), 0.2, by="node2")
    other.decide(HandOver("billing", 1, "node2"), 0.2, by="node9")
    desk.state.restore(other.state.snapshot())
    desk.take(desk.office.turned(0.3))
    assert desk.done == [Lost("billing", Loss.DEPOSED)]
    (resign,) = desk.take(desk.office.leave("billing", 0.4))
    assert resign == Resign("billing")


def test_decree_whose_ruling_is_not_known_is_followed_up_with_the_next_renewal() -> None:
    desk = Desk()
    campaign = desk.stand()
    assert desk.take(desk.office.applied((), [(campaign, None)], 0.1)) == []
    renew, again = desk.take(desk.office.wake(0.3))
    assert isinstance(renew, Renew)
    assert again == Campaign(2, MICROSECONDS, "billing", 0, b"v")  # it shares the renewal


def test_node_that_finds_renewals_of_its_own_session_goes_on_from_there() -> None:
    state = ReplicatedState(NoMachine())
    earlier = Campaign(7, MICROSECONDS, "reports", 0, b"")
    state.apply(0, Batch((Command(Session("node1", 1), 0, earlier),)), "node1")
    desk = Desk(state=state)
    desk.take(desk.office.wake(0.1))
    assert desk.stand(0.1) == Campaign(8, MICROSECONDS, "billing", 0, b"v")


def test_outlived_session_ends_with_its_terms_before_a_later_one_begins() -> None:
    """A journal was lost, the clock was set back, and a command of the former life came late."""
    desk = Desk(boot=5)
    desk.lead()
    late = Command(Session("node1", 9), 0, b"late")
    desk.state.apply(desk.state.position, Batch((late,)), "node1")
    assert desk.office.current_session() == desk.session, "the work has not ended yet"
    desk.take(desk.office.wake(0.2))
    assert desk.done == [Lost("billing", Loss.EXPIRED)]
    assert desk.office.current_session() == desk.session, "the work has not ended yet"
    desk.take(desk.office.leave("billing", 0.3))
    desk.session = desk.office.current_session()
    assert desk.session.boot > 9
    desk.numbers = 0
    desk.decide(Renew(2, MICROSECONDS), 0.4)
    assert desk.state.elections.view("billing").reason == "restarted"
