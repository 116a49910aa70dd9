"""The proposer by itself."""

from __future__ import annotations

import pytest

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Persist, Send
from paxos.protocol.events import BallotBegun, BallotLost, BallotPrepared
from paxos.protocol.messages import Accept, Chosen, Message, Prepare, Promise, Rejected, Vote
from paxos.protocol.proposer import Idle, Leading, Preparing, Proposer
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Begun
from paxos.protocol.values import NOOP

THREE = ("a", "b", "c")
B1, B2, B3, B4 = Ballot(1, "a"), Ballot(2, "b"), Ballot(3, "a"), Ballot(4, "b")


def preparing(frontier: int = 0, window: int = 64) -> Proposer:
    """A proposer that has begun ballot 3."""
    proposer = Proposer("a", Majority(THREE), highest=B2, window=window)
    proposer.prepare(frontier)
    return proposer


def promise_in_whole(
    proposer: Proposer, source: str, *votes: Vote, frontier: int = 0, ballot: Ballot = B3
) -> Effects:
    effects: Effects = ()
    parts: list[tuple[Vote, ...]] = [(vote,) for vote in votes]
    for part in parts or [()]:
        effects += proposer.handle(source, Promise(ballot, frontier, len(votes), part))
    return effects


def leading(window: int = 64) -> Proposer:
    proposer = preparing(window=window)
    promise_in_whole(proposer, "a")
    promise_in_whole(proposer, "b")
    return proposer


def sent(effects: Effects) -> list[Message]:
    return [effect.message for effect in effects if isinstance(effect, Send)]


def test_ballot_is_durable_before_its_prepare_is_sent() -> None:
    assert Proposer("a", Majority(THREE)).prepare(5) == (
        Persist(Begun(B1)),
        BallotBegun(B1),
        Send(THREE, Prepare(B1, 5)),
    )


def test_ballot_is_never_begun_twice_across_lives() -> None:
    first_life = Proposer("a", Majority(THREE))
    first_life.prepare(0)
    second_life = Proposer("a", Majority(THREE))
    second_life.recall(Begun(B1))
    assert second_life.prepare(0)[0] == Persist(Begun(Ballot(2, "a")))
    assert second_life.prepare(0)[0] == Persist(Begun(Ballot(3, "a")))


def test_older_record_does_not_lower_the_next_ballot() -> None:
    proposer = Proposer("a", Majority(THREE))
    proposer.recall(Begun(B3))
    proposer.recall(Begun(B1))
    assert proposer.prepare(0)[0] == Persist(Begun(Ballot(4, "a")))


@pytest.mark.parametrize("heard", [Prepare(B4, 0), Rejected(B1, B4)])
def test_next_ballot_is_above_everything_it_has_heard_of(heard: Message) -> None:
    proposer = Proposer("a", Majority(THREE))
    proposer.handle("b", heard)
    assert proposer.prepare(0)[0] == Persist(Begun(Ballot(5, "a")))


def test_quorum_of_whole_promises_completes_phase_1() -> None:
    proposer = preparing()
    assert promise_in_whole(proposer, "c") == ()
    assert promise_in_whole(proposer, "b") == (BallotPrepared(B3, 0),)
    assert proposer.room == 64


def test_stale_promise_is_not_counted() -> None:
    proposer = preparing()
    promise_in_whole(proposer, "a")
    promise_in_whole(proposer, "b", ballot=B1)
    assert isinstance(proposer.state, Preparing)


def test_promise_delivered_twice_is_one_promise() -> None:
    proposer = preparing()
    promise_in_whole(proposer, "b")
    promise_in_whole(proposer, "b")
    assert isinstance(proposer.state, Preparing)


def test_promise_of_a_stranger_does_not_count() -> None:
    proposer = preparing()
    promise_in_whole(proposer, "a")
    promise_in_whole(proposer, "z")
    assert isinstance(proposer.state, Preparing)


def test_part_of_a_promise_is_no_promise() -> None:
    proposer = preparing()
    promise_in_whole(proposer, "b")
    proposer.handle("c", Promise(B3, 0, 2, (Vote(0, B1, "x"),)))
    proposer.handle("c", Promise(B3, 0, 2, (Vote(0, B1, "x"),)))
    assert isinstance(proposer.state, Preparing)
    proposer.handle("c", Promise(B3, 0, 2, (Vote(1, B1, "y"),)))
    assert isinstance(proposer.state, Leading)


def test_parts_of_two_different_answers_are_never_put_together() -> None:
    proposer = preparing()
    promise_in_whole(proposer, "b")
    proposer.handle("c", Promise(B3, 0, 3, (Vote(0, B1, "w"),)))
    proposer.handle("c", Promise(B3, 1, 2, (Vote(1, B1, "x"),)))
    proposer.handle("c", Promise(B3, 0, 3, (Vote(2, B1, "y"),)))
    assert isinstance(proposer.state, Preparing)
    effects = proposer.handle("c", Promise(B3, 1, 2, (Vote(2, B1, "y"),)))
    assert sent(effects) == [Accept(B3, 1, "x"), Accept(B3, 2, "y")]


def test_highest_ballot_wins_over_the_most_frequent_value() -> None:
    proposer = Proposer("a", Majority(("a", "b", "c", "d", "e")), highest=B2)
    proposer.prepare(0)
    promise_in_whole(proposer, "c", Vote(0, B1, "x"))
    promise_in_whole(proposer, "d", Vote(0, B2, "y"))
    effects = promise_in_whole(proposer, "e", Vote(0, B1, "x"))
    assert sent(effects) == [Accept(B3, 0, "y")]


def test_gap_below_a_vote_becomes_a_no_op() -> None:
    proposer = preparing()
    promise_in_whole(proposer, "a", Vote(0, B1, "x"), Vote(2, B1, "z"))
    effects = promise_in_whole(proposer, "b")
    assert effects[0] == BallotPrepared(B3, 3)
    assert sent(effects) == [Accept(B3, 0, "x"), Accept(B3, 1, NOOP), Accept(B3, 2, "z")]
    assert sent(proposer.propose("new")) == [Accept(B3, 3, "new")]


def test_slots_that_an_acceptors_node_has_learned_are_not_proposed_in() -> None:
    proposer = preparing()
    promise_in_whole(proposer, "a", Vote(0, B1, "x"), Vote(6, B1, "y"))
    effects = promise_in_whole(proposer, "b", frontier=5)
    assert sent(effects) == [Accept(B3, 5, NOOP), Accept(B3, 6, "y")]


def test_first_free_slot_is_never_below_the_highest_frontier() -> None:
    proposer = preparing()
    promise_in_whole(proposer, "a", Vote(0, B1, "x"))
    promise_in_whole(proposer, "b", frontier=5)
    assert sent(proposer.propose("new")) == [Accept(B3, 5, "new")]


def test_slots_learned_during_phase_1_are_not_proposed_in() -> None:
    """Nobody votes in them any more, so they would be in flight for ever."""
    proposer = preparing(window=2)
    promise_in_whole(proposer, "a", *(Vote(slot, B1, slot) for slot in range(4)))
    proposer.advance(4)
    assert promise_in_whole(proposer, "b") == (BallotPrepared(B3, 0),)
    assert proposer.room == 2
    assert sent(proposer.propose("new")) == [Accept(B3, 4, "new")]


def test_late_rejection_does_not_abort_a_newer_ballot() -> None:
    proposer = preparing()
    assert proposer.handle("b", Rejected(B1, B2)) == ()
    assert isinstance(proposer.state, Preparing)
    promise_in_whole(proposer, "a")
    promise_in_whole(proposer, "b")
    for source in THREE:
        assert proposer.handle(source, Rejected(B1, B4)) == ()
    assert isinstance(proposer.state, Leading)


def test_rejection_during_phase_1_makes_room_for_the_rival() -> None:
    proposer = preparing()
    assert proposer.handle("b", Rejected(B3, B4)) == (BallotLost(B3, B4),)
    assert isinstance(proposer.state, Idle)


def test_leader_goes_on_while_a_quorum_can_still_vote_for_it() -> None:
    proposer = leading()
    proposer.propose("x")
    assert proposer.handle("b", Rejected(B3, B4)) == ()
    assert proposer.handle("b", Rejected(B3, B4)) == ()
    assert proposer.handle("c", Rejected(B3, B4)) == (BallotLost(B3, B4),)
    assert proposer.prepare(0)[0] == Persist(Begun(Ballot(5, "a")))


def test_rejection_without_a_ballot_is_only_remembered() -> None:
    proposer = Proposer("a", Majority(THREE))
    assert proposer.handle("b", Rejected(B1, B4)) == ()
    assert proposer.highest == B4


def test_prepare_is_repeated_to_those_whose_promise_is_not_whole() -> None:
    proposer = preparing()
    proposer.handle("c", Promise(B3, 0, 2, (Vote(0, B1, "x"),)))
    promise_in_whole(proposer, "a")
    assert proposer.repeat() == (Send(("b", "c"), Prepare(B3, 0)),)


def test_unanswered_proposals_are_repeated_unchanged_oldest_first() -> None:
    proposer = leading()
    for value in ("x", "y", "z"):
        proposer.propose(value)
    assert sent(proposer.repeat(most=2)) == [Accept(B3, 0, "x"), Accept(B3, 1, "y")]
    proposer.advance(1)
    assert sent(proposer.repeat(most=2)) == [Accept(B3, 1, "y"), Accept(B3, 2, "z")]


def test_idle_proposer_has_nothing_to_repeat_and_no_room() -> None:
    proposer = Proposer("a", Majority(THREE))
    assert proposer.repeat() == ()
    assert proposer.room == 0
    assert proposer.stop() == ()


def test_window_bounds_what_is_in_flight() -> None:
    proposer = leading(window=2)
    proposer.propose("x")
    proposer.propose("y")
    assert proposer.room == 0
    with pytest.raises(AssertionError):
        proposer.propose("z")
    proposer.advance(1)
    assert proposer.room == 1


def test_recovered_slots_wait_for_room_and_go_before_anything_new() -> None:
    proposer = preparing(window=2)
    promise_in_whole(proposer, "a")
    effects = promise_in_whole(proposer, "b", *(Vote(slot, B1, slot) for slot in range(4)))
    assert sent(effects) == [Accept(B3, 0, 0), Accept(B3, 1, 1)]
    assert proposer.room == 0
    assert sent(proposer.advance(1)) == [Accept(B3, 2, 2)]
    assert sent(proposer.advance(3)) == [Accept(B3, 3, 3)]
    assert proposer.room == 1


def test_recovered_slots_that_became_known_are_passed_over() -> None:
    proposer = preparing(window=1)
    promise_in_whole(proposer, "a")
    promise_in_whole(proposer, "b", *(Vote(slot, B1, slot) for slot in range(3)))
    assert sent(proposer.advance(2)) == [Accept(B3, 2, 2)]


def test_leader_whose_log_grew_without_it_proposes_above() -> None:
    proposer = leading()
    proposer.propose("x")
    proposer.advance(9)
    assert sent(proposer.propose("y")) == [Accept(B3, 9, "y")]


def test_proposal_goes_to_every_member() -> None:
    assert leading().propose("x") == (Send(THREE, Accept(B3, 0, "x")),)


def test_proposing_takes_a_completed_phase_1() -> None:
    with pytest.raises(AssertionError):
        preparing().propose("x")


def test_promise_after_phase_1_changes_nothing() -> None:
    proposer = leading()
    assert promise_in_whole(proposer, "c", Vote(0, B2, "y")) == ()
    assert sent(proposer.propose("x")) == [Accept(B3, 0, "x")]


def test_message_for_another_role_is_ignored() -> None:
    proposer = preparing()
    assert proposer.handle("b", Chosen(B4, 0)) == ()
    assert proposer.highest == B3
