from __future__ import annotations

import pytest

from paxos.replicated.election_decrees import Expire
from paxos.replicated.elections import NodeSession
from paxos.replicated.leases import REMEMBERED, Lease, Vigil
from paxos.testing.lease_seats import Patience

TIMING = Patience(lease=1.0, drift=0.05)


def test_lease_counts_from_sending_the_renewal_that_was_chosen() -> None:
    lease = Lease(TIMING)
    assert lease.until < 0
    assert lease.send(10.0) == 1
    assert lease.send(10.25) == 2
    lease.chosen(1)
    assert lease.until == pytest.approx(10.95)


def test_lease_is_never_shortened_by_an_older_renewal() -> None:
    lease = Lease(TIMING)
    lease.send(10.0)
    lease.send(10.25)
    lease.chosen(2)
    lease.chosen(1)
    assert lease.until == pytest.approx(11.2)


def test_renewal_that_this_node_did_not_send_counts_for_nothing() -> None:
    lease = Lease(TIMING)
    lease.send(10.0)
    lease.chosen(7)
    assert lease.until < 0


def test_renewals_under_way_are_bounded() -> None:
    lease = Lease(TIMING)
    for number in range(1000):
        lease.send(float(number))
    assert len(lease.sent) == REMEMBERED


def test_many_campaigns_at_once_share_a_renewal_and_push_out_none() -> None:
    lease = Lease(TIMING)
    numbers = [lease.send(10.0 + number / 1000) for number in range(1000)]
    assert len(set(numbers)) <= REMEMBERED
    lease.chosen(numbers[0])
    assert lease.until == pytest.approx(10.95)
    lease.chosen(numbers[-1])
    assert 11.85 < lease.until < 11.95


def test_shared_renewal_puts_the_next_one_off_no_further() -> None:
    lease = Lease(TIMING)
    lease.send(10.0)
    assert lease.send(10.05) == 1
    assert lease.due == 10.25


def test_next_renewal_is_due_long_before_the_lease_ends() -> None:
    lease = Lease(TIMING)
    lease.send(10.0)
    assert lease.due == 10.25


def session(renewal: int, *, held: bool = True) -> dict[str, NodeSession]:
    return {"node1": NodeSession(3, renewal, 1_000_000, {"billing"} if held else set(), int(held))}


def test_expiry_counts_from_applying_and_names_its_renewal() -> None:
    vigil = Vigil(TIMING)
    vigil.look(session(7), 20.0)
    vigil.look(session(7), 20.9)
    assert vigil.next(session(7), 20.9) == pytest.approx(21.05)
    assert vigil.expired(session(7), 21.04) == []
    assert vigil.expired(session(7), 21.06) == [Expire("node1", 3, 7)]


def test_each_renewal_that_is_applied_begins_the_count_anew() -> None:
    vigil = Vigil(TIMING)
    vigil.look(session(7), 20.0)
    vigil.look(session(8), 20.9)
    assert vigil.expired(session(8), 21.9) == []
    assert vigil.expired(session(8), 21.96) == [Expire("node1", 3, 8)]


def test_length_of_a_lease_is_what_its_holder_counts_on() -> None:
    vigil = Vigil(TIMING)
    sessions = {"node1": NodeSession(3, 7, 4_000_000, {"billing"}, 1)}
    vigil.look(sessions, 20.0)
    assert vigil.expired(sessions, 24.1) == []
    assert vigil.expired(sessions, 24.3) == [Expire("node1", 3, 7)]


def test_session_on_which_nothing_rests_does_not_expire() -> None:
    vigil = Vigil(TIMING)
    vigil.look(session(7, held=False), 20.0)
    assert vigil.expired(session(7, held=False), 99.0) == []
    assert vigil.next(session(7, held=False), 20.0) == float("inf")


def test_holder_stops_before_others_begin_by_clocks_at_both_ends_of_the_drift() -> None:
    lease, vigil = Lease(TIMING), Vigil(TIMING)
    slow, fast = 1 - TIMING.drift, 1 + TIMING.drift
    lease.send(0.0)
    lease.chosen(1)
    vigil.look(session(1), 0.0)  # no later than it was sent: the worst there is
    assert lease.until / slow <= vigil.end("node1", session(1)["node1"]) / fast


def test_candidate_is_missed_only_for_time_in_which_somebody_led_the_log_and_a_leader_is_not() -> (
    None
):
    vigil = Vigil(TIMING)
    waiting = NodeSession(3, 7, 1_000_000, {"billing"})
    sessions = {"node1": waiting, "node2": session(5)["node1"]}
    vigil.look(sessions, 20.0)
    vigil.since = 22.0
    assert vigil.expired(sessions, 22.0) == [Expire("node2", 3, 5)]
    assert Expire("node1", 3, 7) not in vigil.expired(sessions, 23.04)
    assert Expire("node1", 3, 7) in vigil.expired(sessions, 23.06)


def test_candidate_lives_that_has_renewed_within_half_its_lease() -> None:
    vigil = Vigil(TIMING)
    vigil.look(session(7), 20.0)
    assert vigil.lively("node1", session(7)["node1"], 20.49)
    assert not vigil.lively("node1", session(7)["node1"], 20.51)
