"""The rules of safety, one test each, on single roles."""

from __future__ import annotations

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Deliver, Persist, Send
from paxos.protocol.learner import Learner
from paxos.protocol.messages import (
    Accept,
    Accepted,
    Chosen,
    Prepare,
    Promise,
    Rejected,
    Vote,
)
from paxos.protocol.proposer import Idle, Leading, Preparing, Proposer
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Begun, Promised, Voted
from paxos.protocol.values import NOOP

QUORUMS = Majority(("a", "b", "c"))
B1, B2, B3 = Ballot(1, "a"), Ballot(2, "b"), Ballot(3, "a")


def preparing() -> Proposer:
    proposer = Proposer("a", QUORUMS, highest=Ballot(2, "b"))
    proposer.prepare(0)
    return proposer


def accepts(effects: tuple[object, ...]) -> list[tuple[int, object]]:
    return [
        (e.message.slot, e.message.value)
        for e in effects
        if isinstance(e, Send) and isinstance(e.message, Accept)
    ]


def test_promise_is_durable_before_it_is_sent() -> None:
    effects = Acceptor().handle("a", Prepare(B1, 0))
    assert effects == (Persist(Promised(B1)), Send(("a",), Promise(B1, 0, 0, ())))


def test_vote_is_durable_before_it_is_sent() -> None:
    effects = Acceptor().handle("a", Accept(B1, 0, "x"))
    assert effects == (Persist(Voted(0, B1, "x")), Send(("a",), Accepted(B1, 0)))


def test_equal_ballot_is_promised_again() -> None:
    acceptor = Acceptor()
    acceptor.handle("a", Prepare(B1, 0))
    assert acceptor.handle("a", Prepare(B1, 0)) == (Send(("a",), Promise(B1, 0, 0, ())),)


def test_lower_ballot_is_refused_after_a_promise() -> None:
    acceptor = Acceptor()
    acceptor.handle("b", Prepare(B2, 0))
    refusal = (Send(("a",), Rejected(B1, B2)),)
    assert acceptor.handle("a", Accept(B1, 0, "x")) == refusal
    assert acceptor.handle("a", Prepare(B1, 0)) == refusal


def test_voting_raises_the_promise() -> None:
    acceptor = Acceptor()
    acceptor.handle("b", Accept(B2, 0, "y"))
    assert acceptor.handle("a", Accept(B1, 0, "x")) == (Send(("a",), Rejected(B1, B2)),)


def test_promise_reports_the_last_vote_of_every_open_slot() -> None:
    acceptor = Acceptor()
    acceptor.handle("a", Accept(B1, 0, "x"))
    acceptor.handle("b", Accept(B2, 0, "y"))
    acceptor.handle("b", Accept(B2, 2, "z"))
    _, *parts = acceptor.handle("a", Prepare(B3, 0))
    assert parts == [
        Send(("a",), Promise(B3, 0, 2, (Vote(0, B2, "y"),))),
        Send(("a",), Promise(B3, 0, 2, (Vote(2, B2, "z"),))),
    ]


def test_restart_restores_promise_and_votes() -> None:
    acceptor = Acceptor()
    effects = acceptor.handle("a", Accept(B1, 0, "x")) + acceptor.handle("b", Prepare(B2, 0))
    restarted = Acceptor()
    for effect in effects:
        if isinstance(effect, Persist):
            restarted.recall(effect.record)
    assert restarted == acceptor


def test_ballot_is_durable_before_its_prepare_and_never_reused() -> None:
    proposer = Proposer("a", QUORUMS)
    persist, *_, send = proposer.prepare(0)
    assert persist == Persist(Begun(B1))
    assert isinstance(send, Send)
    assert send.message == Prepare(B1, 0)
    restarted = Proposer("a", QUORUMS)
    restarted.recall(Begun(B1))
    assert restarted.prepare(0)[0] == Persist(Begun(Ballot(2, "a")))


def test_stale_promise_is_not_counted() -> None:
    proposer = preparing()
    proposer.handle("b", Promise(B1, 0, 0, ()))
    proposer.handle("c", Promise(B1, 0, 0, ()))
    assert isinstance(proposer.state, Preparing)


def test_promise_delivered_twice_is_one_promise() -> None:
    proposer = preparing()
    proposer.handle("b", Promise(B3, 0, 0, ()))
    proposer.handle("b", Promise(B3, 0, 0, ()))
    assert isinstance(proposer.state, Preparing)


def test_part_of_a_promise_is_no_promise() -> None:
    proposer = preparing()
    proposer.handle("b", Promise(B3, 0, 0, ()))
    proposer.handle("c", Promise(B3, 0, 2, (Vote(0, B1, "x"),)))
    assert isinstance(proposer.state, Preparing)
    proposer.handle("c", Promise(B3, 0, 2, (Vote(1, B1, "y"),)))
    assert isinstance(proposer.state, Leading)


def test_highest_ballot_wins_and_gaps_become_no_ops() -> None:
    proposer = preparing()
    proposer.handle("a", Promise(B3, 0, 2, (Vote(0, B1, "x"),)))
    proposer.handle("a", Promise(B3, 0, 2, (Vote(2, B1, "z"),)))
    effects = proposer.handle("b", Promise(B3, 0, 1, (Vote(0, B2, "y"),)))
    assert accepts(effects) == [(0, "y"), (1, NOOP), (2, "z")]


def test_late_rejection_does_not_abort_a_newer_ballot() -> None:
    proposer = preparing()
    proposer.handle("b", Rejected(B1, B2))
    assert isinstance(proposer.state, Preparing)
    proposer.handle("b", Rejected(B3, Ballot(4, "b")))
    assert isinstance(proposer.state, Idle)


def test_learner_never_mixes_ballots() -> None:
    learner = Learner("a", QUORUMS)
    learner.handle("a", Accept(B1, 0, "x"))
    learner.handle("b", Accept(B2, 0, "y"))
    learner.handle("a", Accepted(B1, 0))
    effects = learner.handle("b", Accepted(B2, 0))
    assert not any(isinstance(effect, Deliver) for effect in effects)
    assert Deliver(0, "y") in learner.handle("c", Accepted(B2, 0))


def test_learner_does_not_believe_a_lower_proposal_of_a_chosen_slot() -> None:
    learner = Learner("c", QUORUMS)
    learner.handle("a", Accept(B1, 0, "x"))
    assert learner.frontier == 0
    learner.handle("b", Chosen(B2, 0))
    assert learner.frontier == 0
    assert Deliver(0, "y") in learner.handle("b", Accept(B2, 0, "y"))


def test_slots_are_delivered_in_order() -> None:
    learner = Learner("c", QUORUMS)
    learner.handle("a", Accept(B1, 1, "second"))
    learner.handle("a", Chosen(B1, 1))
    assert learner.frontier == 0
    learner.handle("a", Accept(B1, 0, "first"))
    effects = learner.handle("a", Chosen(B1, 0))
    assert [e for e in effects if isinstance(e, Deliver)] == [
        Deliver(0, "first"),
        Deliver(1, "second"),
    ]
