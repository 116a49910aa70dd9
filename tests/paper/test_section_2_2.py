"""*Paxos Made Simple*, section 2.2: choosing a value. Each docstring quotes the rule it tests."""

from __future__ import annotations

from itertools import combinations

from paxos.protocol import (
    Accept,
    Accepted,
    Acceptor,
    Ballot,
    BallotLost,
    Idle,
    Leading,
    Majority,
    Persist,
    Prepare,
    Preparing,
    Promise,
    Promised,
    Proposer,
    Rejected,
    Send,
    Vote,
    Voted,
)
from paxos.testing.roles import RoleCluster

NODES = ("a", "b", "c", "d", "e")
B1, B2, B3 = Ballot(1, "a"), Ballot(2, "b"), Ballot(3, "c")


def begun(ballot: Ballot) -> Proposer:
    proposer = Proposer(ballot.node, Majority(NODES), highest=Ballot(ballot.number - 1, "z"))
    proposer.prepare(0)
    return proposer


def test_first_proposal_that_arrives_is_accepted() -> None:
    """P1: “An acceptor must accept the first proposal that it receives”."""
    assert Acceptor().handle("a", Accept(B1, 0, "x")) == (
        Persist(Voted(0, B1, "x")),
        Send(("a",), Accepted(B1, 0)),
    )


def test_acceptor_may_accept_more_than_one_proposal() -> None:
    """P2 speaks of “every higher-numbered proposal that is chosen”: there may be several."""
    acceptor = Acceptor()
    acceptor.handle("a", Accept(B1, 0, "x"))
    assert acceptor.handle("b", Accept(B2, 0, "x"))[-1] == Send(("b",), Accepted(B2, 0))
    assert acceptor.votes[0] == Vote(0, B2, "x")


def test_every_proposal_above_a_chosen_one_has_its_value_whichever_majority_answers() -> None:
    """P2b: “every higher-numbered proposal issued by any proposer has value v”."""
    for voters in combinations(NODES, 3):
        for promisers in combinations(NODES, 3):
            acceptors = {name: Acceptor() for name in NODES}
            for name in voters:
                acceptors[name].handle("a", Accept(B1, 0, "v"))
            proposer = begun(B2)
            for name in promisers:
                promise = acceptors[name].handle("b", Prepare(B2, 0))[-1]
                assert isinstance(promise, Send)
                effects = proposer.handle(name, promise.message)
            assert effects[-1] == Send(NODES, Accept(B2, 0, "v"))


def test_highest_numbered_proposal_below_n_decides_what_n_proposes() -> None:
    """P2c (b): “v is the value of the highest-numbered proposal”."""
    proposer = begun(B3)
    proposer.handle("a", Promise(B3, 0, 1, (Vote(0, B1, "x"),)))
    proposer.handle("b", Promise(B3, 0, 1, (Vote(0, B2, "y"),)))
    effects = proposer.handle("c", Promise(B3, 0, 1, (Vote(0, B1, "x"),)))
    assert effects[-1] == Send(NODES, Accept(B3, 0, "y"))


def test_free_choice_where_no_acceptor_of_a_majority_has_accepted() -> None:
    """P2c (a): “no acceptor in S has accepted any proposal numbered less than n”."""
    proposer = begun(B3)
    for name in ("a", "b", "c"):
        proposer.handle(name, Promise(B3, 0, 0, ()))
    assert proposer.propose("anything") == (Send(NODES, Accept(B3, 0, "anything")),)


def test_less_than_a_majority_of_promises_allows_no_proposal() -> None:
    """2 (a): “a response to its prepare requests (numbered n) from a majority of acceptors”."""
    proposer = begun(B3)
    for name in ("a", "b", "b"):
        proposer.handle(name, Promise(B3, 0, 0, ()))
    assert isinstance(proposer.state, Preparing)
    assert proposer.room == 0
    proposer.handle("c", Promise(B3, 0, 0, ()))
    assert isinstance(proposer.state, Leading)


def test_promise_reports_the_highest_numbered_proposal_that_was_accepted() -> None:
    """1 (b): “the highest-numbered proposal (if any) that it has accepted”."""
    acceptor = Acceptor()
    acceptor.handle("a", Accept(B1, 0, "x"))
    acceptor.handle("b", Accept(B2, 0, "y"))
    assert acceptor.handle("c", Prepare(B3, 0)) == (
        Persist(Promised(B3)),
        Send(("c",), Promise(B3, 0, 1, (Vote(0, B2, "y"),))),
    )


def test_prepare_below_a_promise_is_not_promised() -> None:
    """1 (b): “greater than that of any prepare request to which it has already responded”."""
    acceptor = Acceptor()
    acceptor.handle("b", Prepare(B2, 0))
    assert acceptor.handle("a", Prepare(B1, 0)) == (Send(("a",), Rejected(B1, B2)),)


def test_accept_below_a_promise_is_not_accepted() -> None:
    """P1a: “iff it has not responded to a prepare request having a number greater than n”."""
    acceptor = Acceptor()
    acceptor.handle("b", Prepare(B2, 0))
    assert acceptor.handle("a", Accept(B1, 0, "x")) == (Send(("a",), Rejected(B1, B2)),)
    assert acceptor.votes == {}


def test_accept_at_the_promised_ballot_or_above_is_accepted() -> None:
    """P1a once more, in its other direction: nothing else may keep it from accepting."""
    for ballot in (B2, B3):
        acceptor = Acceptor()
        acceptor.handle("b", Prepare(B2, 0))
        assert acceptor.handle("b", Accept(ballot, 0, "x"))[0] == Persist(Voted(0, ballot, "x"))


def test_proposer_may_abandon_a_proposal_at_any_time() -> None:
    """“It can abandon a proposal in the middle of the protocol at any time”."""
    proposer = begun(B3)
    assert proposer.stop() == (BallotLost(B3, Ballot.ZERO),)
    for name in NODES:
        assert proposer.handle(name, Promise(B3, 0, 0, ())) == ()
    assert isinstance(proposer.state, Idle)


def test_refusal_tells_the_proposer_to_abandon_its_proposal() -> None:
    """“It is probably a good idea to abandon a proposal” once a higher-numbered one has begun."""
    proposer = begun(B2)
    assert proposer.handle("c", Rejected(B2, B3)) == (BallotLost(B2, B3),)


def test_requests_and_answers_may_be_lost_doubled_and_reordered() -> None:
    """2.1: they “can take arbitrarily long to be delivered, can be duplicated, and can be lost”."""
    for seed in range(40):
        cluster = RoleCluster(seed, nodes=3, proposers=3)
        for _ in range(150):
            cluster.step()
        cluster.settle()
