"""*Paxos Made Simple*, section 2.3: learning a chosen value."""

from __future__ import annotations

from paxos.protocol import (
    Accept,
    Accepted,
    Acceptor,
    Ballot,
    Chosen,
    Deliver,
    Learner,
    Majority,
    Prepare,
    Proposer,
    Send,
)

THREE = ("a", "b", "c")
B1, B2 = Ballot(1, "a"), Ballot(2, "b")


def test_value_is_learned_when_a_majority_has_accepted_the_proposal() -> None:
    """“a learner must find out that a proposal has been accepted by a majority of acceptors”."""
    learner = Learner("a", Majority(THREE))
    learner.handle("a", Accept(B1, 0, "x"))
    assert learner.handle("a", Accepted(B1, 0)) == ()
    assert learner.handle("c", Accepted(B1, 0))[-1] == Deliver(0, "x")


def test_acceptances_of_two_proposals_are_not_added_even_if_they_make_a_majority() -> None:
    """What is accepted by a majority must be *one* proposal, of one number."""
    learner = Learner("a", Majority(THREE))
    learner.handle("a", Accept(B1, 0, "x"))
    learner.handle("a", Accepted(B1, 0))
    learner.handle("b", Accepted(B2, 0))
    assert learner.frontier == 0


def test_distinguished_learner_informs_all_the_others() -> None:
    """“a set of distinguished learners, each of which can then inform all the learners”."""
    distinguished, other = Learner("a", Majority(THREE)), Learner("b", Majority(THREE))
    other.handle("a", Accept(B1, 0, "x"))
    distinguished.handle("a", Accepted(B1, 0))
    effects = distinguished.handle("b", Accepted(B1, 0))
    assert Send(("b", "c"), Chosen(B1, 0)) in effects
    assert other.handle("a", Chosen(B1, 0))[-1] == Deliver(0, "x")


def test_acceptor_answers_the_distinguished_learner_beside_the_proposer() -> None:
    """“The acceptors could respond with their acceptances to” one learner only."""
    *_, accepted = Acceptor().handle("a", Accept(B1, 0, "x"))
    assert accepted == Send(("a",), Accepted(B1, 0))


def test_lost_decision_is_found_by_issuing_a_proposal() -> None:
    """A learner that needs to know “can have a proposer issue a proposal”."""
    acceptors = {name: Acceptor() for name in THREE}
    for name in ("a", "c"):
        acceptors[name].handle("a", Accept(B1, 0, "x"))  # chosen; every answer is lost
    proposer = Proposer("b", Majority(THREE), highest=B1)
    learner = Learner("b", Majority(THREE))
    proposer.prepare(0)
    for name in ("b", "c"):
        promise = acceptors[name].handle("b", Prepare(B2, 0))[-1]
        assert isinstance(promise, Send)
        effects = proposer.handle(name, promise.message)
    accept = effects[-1]
    assert isinstance(accept, Send)
    learner.handle("b", accept.message)
    for name in ("b", "c"):
        accepted = acceptors[name].handle("b", accept.message)[-1]
        assert isinstance(accepted, Send)
        effects = learner.handle(name, accepted.message)
    assert effects[-1] == Deliver(0, "x")
