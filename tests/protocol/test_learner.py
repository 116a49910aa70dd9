"""The learner by itself."""

from __future__ import annotations

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Deliver, Effects, PersistLater, Send, Supply, Wake
from paxos.protocol.events import SlotChosen
from paxos.protocol.learner import HORIZON, PATIENCE, RETAINED, Learner
from paxos.protocol.messages import (
    Accept,
    Accepted,
    Chosen,
    Learn,
    Prepare,
    Promise,
    Teach,
)
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Learned, Promised

QUORUMS = Majority(("a", "b", "c"))
B1, B2, B3 = Ballot(1, "a"), Ballot(2, "b"), Ballot(3, "a")
WAKE = Wake(*PATIENCE)


def learner(name: str = "c") -> Learner:
    return Learner(name, QUORUMS)


def delivered(effects: Effects) -> list[tuple[int, object]]:
    return [(effect.slot, effect.value) for effect in effects if isinstance(effect, Deliver)]


def taught(count: int) -> Learner:
    """A learner that has learned the first ``count`` slots."""
    one = learner()
    for slot in range(count):
        one.handle("a", Teach(slot, f"v{slot}", count - 1, count))
    return one


def test_quorum_of_equal_ballots_chooses_and_the_others_are_told() -> None:
    one = learner("a")
    assert one.handle("a", Accept(B1, 0, "x")) == ()
    assert one.handle("a", Accepted(B1, 0)) == ()
    assert one.handle("b", Accepted(B1, 0)) == (
        SlotChosen(0, B1),
        Send(("b", "c"), Chosen(B1, 0)),
        PersistLater(Learned(0, B1, "x")),
        Deliver(0, "x"),
    )
    assert one.handle("c", Accepted(B1, 0)) == ()


def test_vote_delivered_twice_is_one_vote() -> None:
    one = learner()
    one.handle("a", Accept(B1, 0, "x"))
    one.handle("a", Accepted(B1, 0))
    assert one.handle("a", Accepted(B1, 0)) == ()


def test_vote_of_a_stranger_does_not_count() -> None:
    one = learner()
    one.handle("a", Accept(B1, 0, "x"))
    one.handle("a", Accepted(B1, 0))
    assert one.handle("z", Accepted(B1, 0)) == ()


def test_votes_of_different_ballots_are_never_added_up() -> None:
    one = learner()
    one.handle("a", Accept(B1, 0, "x"))
    one.handle("b", Accept(B2, 0, "y"))
    assert one.handle("a", Accepted(B1, 0)) == ()
    assert one.handle("b", Accepted(B2, 0)) == ()
    assert one.handle("c", Accepted(B1, 0)) == ()
    assert delivered(one.handle("c", Accepted(B2, 0))) == [(0, "y")]


def test_votes_of_different_slots_are_never_added_up() -> None:
    one = learner()
    one.handle("a", Accepted(B1, 0))
    assert one.handle("b", Accepted(B1, 1)) == ()


def test_lower_proposal_of_a_chosen_slot_is_not_believed() -> None:
    one = learner()
    one.handle("a", Accept(B1, 0, "x"))
    assert one.handle("b", Chosen(B2, 0)) == (WAKE,)
    assert one.handle("a", Accept(B1, 0, "x")) == ()
    assert delivered(one.handle("b", Accept(B2, 0, "y"))) == [(0, "y")]


def test_higher_proposal_of_a_chosen_slot_names_its_value() -> None:
    """P2b: a proposal above a chosen one has the same value."""
    one = learner()
    one.handle("b", Chosen(B2, 0))
    effects = one.handle("a", Accept(B3, 0, "y"))
    assert effects == (PersistLater(Learned(0, B2, "y")), Deliver(0, "y"))


def test_late_lower_proposal_does_not_displace_a_higher_one() -> None:
    one = learner()
    one.handle("b", Accept(B2, 0, "y"))
    one.handle("a", Accept(B1, 0, "x"))
    assert delivered(one.handle("b", Chosen(B2, 0))) == [(0, "y")]


def test_slots_are_delivered_in_order() -> None:
    one = learner()
    one.handle("a", Accept(B1, 1, "second"))
    assert one.handle("a", Chosen(B1, 1)) == (WAKE,)
    one.handle("a", Accept(B1, 0, "first"))
    assert delivered(one.handle("a", Chosen(B1, 0))) == [(0, "first"), (1, "second")]


def test_slot_is_delivered_once() -> None:
    one = taught(1)
    assert one.handle("a", Chosen(B1, 0)) == ()
    assert one.handle("a", Teach(0, "v0", 0, 1)) == ()
    assert one.handle("a", Accepted(B1, 0)) == ()


def test_gap_is_asked_for_when_the_alarm_rings_and_each_time_of_another() -> None:
    one = learner()
    assert one.handle("b", Chosen(B1, 1)) == (WAKE,)
    assert one.handle("b", Chosen(B1, 2)) == ()
    assert one.wake() == (Send(("b",), Learn(0, 2)), WAKE)
    assert one.wake() == (Send(("a",), Learn(0, 2)), WAKE)
    assert one.wake() == (Send(("b",), Learn(0, 2)), WAKE)


def test_log_that_grows_is_not_asked_for() -> None:
    one = learner()
    one.handle("a", Chosen(B1, 2))
    one.handle("a", Teach(0, "v0", 2, 3))
    assert one.wake() == (WAKE,)
    assert one.wake() == (Send(("a",), Learn(1, 2)), WAKE)


def test_closed_gap_needs_no_alarm() -> None:
    one = learner()
    one.handle("a", Chosen(B1, 0))
    one.handle("a", Accept(B1, 0, "x"))
    assert one.wake() == ()
    assert one.handle("a", Chosen(B1, 1)) == (WAKE,)


def test_laggard_pulls_one_answer_after_another() -> None:
    one = learner()
    one.hear_frontier("a", 4)
    one.wake()
    assert delivered(one.handle("a", Teach(0, "v0", 1, 4))) == [(0, "v0")]
    effects = one.handle("a", Teach(1, "v1", 1, 4))
    assert effects[-2:] == (Send(("a",), Learn(2, 3)), WAKE)
    one.handle("a", Teach(2, "v2", 3, 4))
    assert one.handle("a", Teach(3, "v3", 3, 4))[-1] == Deliver(3, "v3")


def test_one_request_stays_within_the_horizon() -> None:
    one = learner()
    one.hear_frontier("a", 10 * HORIZON)
    assert one.wake()[0] == Send(("a",), Learn(0, HORIZON - 1))


def test_chosen_slot_beyond_the_horizon_tells_how_far_others_are() -> None:
    one = learner()
    assert one.handle("a", Chosen(B1, HORIZON + 9)) == (WAKE,)
    assert one.wake() == (Send(("a",), Learn(0, HORIZON - 1)), WAKE)


def test_promise_and_heartbeat_tell_how_far_others_are() -> None:
    one = learner()
    assert one.handle("b", Promise(B1, 3, 0, ())) == (WAKE,)
    assert one.hear_frontier("a", 5) == ()
    assert one.wake()[0] == Send(("a",), Learn(0, 4))
    assert taught(3).handle("b", Promise(B1, 3, 0, ())) == ()


def test_what_is_learned_is_supplied_and_nothing_else() -> None:
    one = taught(3)
    assert one.handle("a", Learn(1, 9)) == (Supply("a", 1, 2),)
    assert one.handle("a", Learn(-5, 0)) == (Supply("a", 0, 0),)
    assert one.handle("a", Learn(3, 9)) == ()
    assert one.handle("a", Learn(2, 1)) == ()


def test_proposer_of_a_learned_slot_is_taught() -> None:
    """No acceptor of this node votes there any more: otherwise it would repeat for ever."""
    one = taught(3)
    assert one.handle("a", Accept(B1, 1, "x")) == (Supply("a", 1, 1),)
    assert one.handle("c", Accept(B1, 1, "x")) == ()


def test_taught_slot_has_no_ballot() -> None:
    effects = learner().handle("a", Teach(0, "x", 0, 1))
    assert effects == (PersistLater(Learned(0, None, "x")), Deliver(0, "x"))


def test_memory_is_bounded_whatever_arrives() -> None:
    one = learner()
    for slot in (*range(HORIZON, HORIZON + 9), 10**9):
        one.handle("a", Accept(B1, slot, "x"))
        one.handle("a", Accepted(B1, slot))
        one.handle("a", Chosen(B1, slot))
        one.handle("a", Teach(slot, "x", slot, slot + 1))
    assert (one.proposals, one.tallies, one.chosen, one.learned) == ({}, {}, {}, {})
    assert len(taught(RETAINED + 9).retained) == RETAINED


def test_learner_of_one_chooses_alone_and_asks_nobody() -> None:
    one = Learner("a", Majority(("a",)))
    assert one.handle("a", Chosen(B1, 1)) == (WAKE,)
    assert one.wake() == ()
    one.handle("a", Accept(B1, 0, "x"))
    assert delivered(one.handle("a", Accepted(B1, 0))) == [(0, "x")]


def test_restart_delivers_what_was_learned_and_nothing_twice() -> None:
    one = learner()
    assert one.recall(Promised(B1)) == ()
    assert one.recall(Learned(0, B1, "x")) == (Deliver(0, "x"),)
    assert one.recall(Learned(0, B1, "x")) == ()
    assert one.recall(Learned(1, None, "y")) == (Deliver(1, "y"),)
    assert one.handle("a", Learn(0, 1)) == (Supply("a", 0, 1),)


def test_message_for_another_role_is_ignored() -> None:
    assert learner().handle("a", Prepare(B1, 0)) == ()
