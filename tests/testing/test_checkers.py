"""Each invariant speaks up when it does not hold, and is silent when it does."""

from __future__ import annotations

import pytest

from paxos.node.cluster import Timing
from paxos.protocol import messages
from paxos.protocol.ballot import Ballot
from paxos.protocol.confirmation import Confirmation
from paxos.protocol.events import BallotLost
from paxos.protocol.learner import Tally
from paxos.protocol.messages import Accept, Confirmed, Promise, Rejected, Vote
from paxos.protocol.proposer import Parts, Preparing
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Begun, Learned, Promised, Readmitted, Record, Voted
from paxos.protocol.values import NOOP
from paxos.replicated.admission import Mark
from paxos.replicated.election_decrees import ElectionView, LeaderChanged
from paxos.replicated.log_proposer import Own
from paxos.replicated.roles import Roles
from paxos.replicated.state import Applied
from paxos.replicated.values import Command, Leadership, Session
from paxos.testing.checkers import (
    Answers,
    AtMostOnce,
    EffectsOnce,
    Forward,
    HighestVote,
    Honesty,
    Leases,
    Marks,
    Memory,
    Steadfast,
    Tallies,
    Tidy,
    Violation,
)
from paxos.testing.checkers.memory import Durable
from paxos.testing.simulation.store import Store

THREE = Majority(("a", "b", "c"))
B1, B2, B3 = Ballot(1, "a"), Ballot(2, "b"), Ballot(3, "c")


def fresh_roles() -> Roles:
    return Roles.begin(Session("a", 1), THREE, Timing(), Store(), [])


def test_ballot_is_given_up_for_a_higher_one_alone() -> None:
    checker = Steadfast()
    checker.happened("a", BallotLost(B1, B2))
    checker.happened("a", BallotLost(B1, Ballot.ZERO))
    with pytest.raises(Violation, match=r"gives ballot 3\.c up for 2\.b"):
        checker.happened("c", BallotLost(B3, B2))


def test_effect_happens_once_and_has_the_outcome_that_it_had() -> None:
    checker = EffectsOnce()
    checker.caused("blue", "k", b"receipt")
    checker.concluded("blue", "k", b"receipt")
    checker.caused("red", "k", b"receipt")
    with pytest.raises(Violation, match="twice"):
        checker.caused("blue", "k", b"another")
    with pytest.raises(Violation, match="outcome of blue/k"):
        checker.concluded("blue", "k", b"another")
    with pytest.raises(Violation, match="and it is None"):
        checker.concluded("blue", "never", b"receipt")


def test_effect_is_intended_by_whoever_leads() -> None:
    checker, first, second = EffectsOnce(), Leadership("a", 1, "blue"), Leadership("b", 2, "blue")
    for slot, leadership in ((3, first), (5, None), (7, second)):
        change = LeaderChanged("blue", ElectionView(leadership, b"", ""))
        checker.applied("a", Applied(slot, NOOP, (), (), (change,)))
    checker.intended(first, 4)
    checker.intended(second, 7)
    for leadership, slot in ((first, 6), (first, 8), (second, 6)):
        with pytest.raises(Violation, match="does not lead"):
            checker.intended(leadership, slot)


def promised(*votes: tuple[str, int, tuple[Vote, ...]]) -> HighestVote:
    checker = HighestVote(THREE)
    for node, frontier, reported in votes:
        checker.sent(node, Promise(B3, frontier, len(reported), reported))
    return checker


@pytest.mark.parametrize("value", ["x", "y"])
def test_value_of_the_highest_vote_of_some_quorum_is_proposed(value: str) -> None:
    old, new = Vote(0, B1, "x"), Vote(0, B2, "y")
    checker = promised(("a", 0, (old,)), ("b", 0, (new,)))
    if value == "y":
        checker.sent("c", Accept(B3, 0, value))
        return
    with pytest.raises(Violation, match="no quorum of the promises"):
        checker.sent("c", Accept(B3, 0, value))


def test_value_is_free_where_a_quorum_has_not_voted() -> None:
    vote = Vote(0, B1, "x")
    checker = promised(("a", 0, ()), ("b", 0, ()), ("c", 0, (vote,)))
    checker.sent("c", Accept(B3, 0, "z"))
    checker.sent("c", Accept(B3, 1, "z"))
    checker = promised(("a", 0, ()), ("c", 0, (vote,)))
    checker.sent("c", Accept(B3, 0, "x"))
    checker = promised(("a", 0, ()), ("c", 0, (vote,)))
    with pytest.raises(Violation):
        checker.sent("c", Accept(B3, 0, "z"))


def test_nothing_is_proposed_without_a_quorum_that_speaks_of_the_slot() -> None:
    with pytest.raises(Violation):
        promised(("a", 0, ())).sent("c", Accept(B3, 0, "x"))
    checker = promised(("a", 0, ()), ("b", 5, ()))
    checker.sent("c", Accept(B3, 5, "x"))
    with pytest.raises(Violation):
        checker.sent("c", Accept(B3, 4, "x"))


def test_refusal_names_a_higher_promise() -> None:
    checker = Honesty(Memory())
    checker.sent("a", Rejected(B1, B2))
    with pytest.raises(Violation, match="refuses"):
        checker.sent("a", Rejected(B2, B2))


def test_nothing_goes_back_within_a_life() -> None:
    checker, roles = Forward(), fresh_roles()
    learner = roles.learner.learner
    learner.frontier = learner.target = 5
    checker.turned("a", roles)
    learner.frontier = 4
    with pytest.raises(Violation, match="goes back"):
        checker.turned("a", roles)
    checker.restarted("a", roles)
    checker.turned("a", roles)
    roles.acceptor.frontier = 6
    with pytest.raises(Violation, match="has learned 4 slots"):
        checker.turned("a", roles)


def test_vote_in_an_open_slot_is_kept_while_the_log_grows() -> None:
    checker, roles = Memory(), fresh_roles()
    vote = Voted(7, B1, "x")
    checker.persisted("a", [vote])
    roles.acceptor.recall(vote)
    roles.acceptor.advance(7)
    checker.turned("a", roles)
    roles.acceptor.advance(8)
    checker.turned("a", roles)
    roles.acceptor.frontier = 7
    with pytest.raises(Violation, match="forgot with the slots that it learned its vote"):
        checker.turned("a", roles)


def test_node_at_rest_keeps_nothing_of_what_is_done() -> None:
    checker, roles = Tidy(), fresh_roles()
    checker.rested("a", roles)
    roles.acceptor.frontier = 3
    roles.learner.learner.tallies[2] = Tally(B1)
    with pytest.raises(Violation, match=r"tallies in slots \[2\] below 3"):
        checker.rested("a", roles)
    roles.learner.learner.tallies.clear()
    command = Command(Session("a", 1), 0, b"w k 1")
    roles.proposer.own[command.id] = Own(command, 0.0, 0.0)
    with pytest.raises(Violation, match="1 commands of its own"):
        checker.rested("a", roles)


def test_vote_is_counted_at_the_ballot_at_which_it_was_cast() -> None:
    memory, roles = Memory(), fresh_roles()
    checker = Tallies(memory)
    memory.persisted("b", [Voted(0, B1, "x")])
    roles.learner.learner.tallies[0] = Tally(B1, {"b"})
    checker.turned("a", roles)
    roles.learner.learner.tallies[0] = Tally(B2, {"b"})
    with pytest.raises(Violation, match=r"counts a vote of b at 2\.b in slot 0"):
        checker.turned("a", roles)


def test_older_journal_may_give_back_what_a_newer_one_has_forgotten() -> None:
    durable = Durable()
    records: list[Record] = [Begun(B1), Promised(B2), Learned(0, None, "x")]
    for record in records:
        durable.add(record)
    durable.forget([], noticed=True, counted=B2)
    assert all(durable.explains(record) for record in records)
    assert not durable.explains(Promised(B3))
    assert not durable.explains(Learned(0, None, "y"))


def test_forgotten_promise_to_a_ballot_of_its_own_may_count_for_nothing() -> None:
    cases = ((B1, B1, True), (B2, B1, True), (B3, B3, True), (B3, B1, False))
    for promised, others, counts in cases:
        checker = Memory()
        checker.persisted("a", [Promised(others)])
        checker.persisted("c", [Promised(promised)])
        checker.forgotten("c", [], noticed=True)
        checker.persisted("a", [Promised(B3)])
        again: list[Record] = [Promised(promised), Readmitted(promised)]
        if not counts:
            checker.persisted("c", again)
            continue
        with pytest.raises(Violation, match="forgot that it promised"):
            checker.persisted("c", again)


def test_parts_of_two_promises_are_no_whole_one() -> None:
    checker, roles = Answers(), fresh_roles()
    votes = {slot: Vote(slot, B1, NOOP) for slot in (5, 7, 8)}
    checker.sent("b", Promise(B3, 5, 3, (votes[5],)))
    for slot in (7, 8):
        checker.sent("b", Promise(B3, 7, 2, (votes[slot],)))
    parts = Parts(7, 2, {7: votes[7], 8: votes[8]})
    roles.proposer.candidacy.proposer.state = Preparing(B3, 0, {"b": parts})
    checker.turned("a", roles)
    parts.votes = {5: votes[5], 7: votes[7]}
    with pytest.raises(Violation, match="not reported together"):
        checker.turned("a", roles)
    roles.proposer.candidacy.proposer.state = Preparing(B3, 0, {})
    roles.admission.readmission.preparing = Preparing(B3, 0, {"b": parts})
    with pytest.raises(Violation, match="not reported together"):
        checker.turned("a", roles)


def test_confirmation_counts_for_its_ballot_and_round() -> None:
    checker, roles = Answers(), fresh_roles()
    reading = roles.proposer.reading
    reading.begin()
    reading.pursue("b", 0.0)
    assert reading.question is not None
    reading.question.round = Confirmation(B3, 1, 0, {"b"})
    checker.sent("b", Confirmed(B1, 1))
    checker.sent("b", Confirmed(B3, 2))
    with pytest.raises(Violation, match="never given"):
        checker.turned("a", roles)
    checker.sent("b", Confirmed(B3, 1))
    checker.turned("a", roles)


def test_what_is_known_of_a_journal_does_not_become_less() -> None:
    checker, roles = Marks(), fresh_roles()
    for mark in (Mark("b", 1, 5), Mark("b", 1, 6), Mark("b", 2, 1)):
        roles.admission.known["b"] = mark
        checker.turned("a", roles)
    roles.admission.known["b"] = Mark("b", 2, 0)
    with pytest.raises(Violation, match="and now takes it for"):
        checker.turned("a", roles)
    checker.restarted("a", roles)
    checker.turned("a", roles)


def test_command_is_taken_for_a_repetition_only_after_it_took_effect() -> None:
    checker = AtMostOnce()
    old, new = (Command(Session("a", boot), 0, b"x") for boot in (1, 2))
    checker.applied("a", Applied(0, NOOP, (new,), ((new.id, 0, b""),)))
    checker.applied("a", Applied(1, NOOP, (), ((new.id, 1, None),)))
    checker.applied("a", Applied(2, NOOP, (), ((old.id, 2, None),)))  # of an earlier life: void
    lost = Command(Session("a", 2), 1, b"y")
    with pytest.raises(Violation, match="for a repetition, and it never took effect"):
        checker.applied("a", Applied(3, NOOP, (), ((lost.id, 3, None),)))


def test_lease_is_honoured_for_as_long_as_its_holder_counts_on_it() -> None:
    checker = Leases()
    checker.counted("session", "a", 1.5, {"b": 1.5, "c": 2.0})
    with pytest.raises(Violation, match=r"a counts on its session for 0\.1 s longer than c"):
        checker.counted("session", "a", 1.6, {"b": 1.7, "c": 1.5})


def test_node_remembers_its_highest_ballot_begun_or_promised() -> None:
    memory = Memory()
    checker = Honesty(memory)
    memory.persisted("c", [Begun(B3)])
    memory.persisted("c", [Promised(B2)])
    memory.listens("c", "proposer")
    checker.sent("c", messages.Memory(1, B3, 0, 0, 0))
    with pytest.raises(Violation, match=r"remembers 2\.b as its highest, not 3\.c"):
        checker.sent("c", messages.Memory(1, B2, 0, 0, 0))


def test_readmitted_node_has_learned_what_the_others_told_no_votes_of() -> None:
    for told, whole in ((1, True), (2, False)):
        memory = Memory()
        for node in ("a", "b"):
            memory.persisted(node, [Promised(B3)])
        Honesty(memory).sent("b", Promise(B3, told, 0, ()))
        memory.forgotten("c", [], noticed=True)
        again: list[Record] = [Learned(0, None, NOOP), Promised(B3), Readmitted(B3)]
        if whole:
            memory.persisted("c", again)
            continue
        with pytest.raises(Violation, match="told of no vote below slot 2"):
            memory.persisted("c", again)


def test_acceptor_confirms_nothing_below_its_promise() -> None:
    memory = Memory()
    checker = Honesty(memory)
    memory.listens("a", "acceptor")
    memory.persisted("a", [Promised(B2)])
    memory.listens("a", "learner")
    memory.persisted("a", [Learned(0, None, NOOP)])
    checker.sent("a", Confirmed(B1, 1))  # in the turn in which it promises more, before it does
    memory.listens("a", "acceptor")
    with pytest.raises(Violation, match=r"confirms 1\.a, having promised more"):
        checker.sent("a", Confirmed(B1, 1))


def test_roles_know_as_much_as_is_durable() -> None:
    checker, roles = Memory(), fresh_roles()
    checker.persisted("a", [Promised(B2)])
    with pytest.raises(Violation, match=r"takes 0\. for its highest promise or vote"):
        checker.turned("a", roles)
    roles.acceptor.recall(Promised(B2))
    checker.turned("a", roles)
    checker.persisted("a", [Begun(B3)])
    with pytest.raises(Violation, match=r"forgotten that it began 3\.c"):
        checker.turned("a", roles)
