"""*Paxos Made Simple*, section 2.4: progress."""

from __future__ import annotations

from paxos.protocol import Accept, Acceptor, Ballot, Idle, Leading, Majority, Proposer, Send
from paxos.testing.roles import RoleCluster

THREE = ("a", "b", "c")


def ask(proposer: Proposer, acceptors: dict[str, Acceptor], *sends: object) -> None:
    """Carry messages to the acceptors and their answers back."""
    for send in sends:
        if isinstance(send, Send):
            for name in send.targets:
                for answer in acceptors[name].handle(proposer.name, send.message):
                    if isinstance(answer, Send):
                        proposer.handle(name, answer.message)


def test_two_proposers_can_keep_each_other_from_success() -> None:
    """“two proposers each keep issuing a sequence of proposals with increasing numbers”."""
    acceptors = {name: Acceptor() for name in THREE}
    one, two = Proposer("a", Majority(THREE)), Proposer("b", Majority(THREE))
    for _ in range(5):
        for mine, rival in ((one, two), (two, one)):
            ask(mine, acceptors, *mine.prepare(0))
            assert isinstance(mine.state, Leading)
            if isinstance(rival.state, Leading):
                ask(rival, acceptors, *rival.propose("x"))
            assert isinstance(rival.state, Idle)
    assert all(acceptor.votes == {} for acceptor in acceptors.values())


def test_distinguished_proposer_with_a_number_above_all_others_succeeds() -> None:
    """“it will succeed in issuing a proposal that is accepted”."""
    acceptors = {name: Acceptor(promised=Ballot(7, "z")) for name in THREE}
    proposer = Proposer("a", Majority(THREE))
    ask(proposer, acceptors, *proposer.prepare(0))
    assert isinstance(proposer.state, Idle)
    ask(proposer, acceptors, *proposer.prepare(0))  # it has learned of the higher number
    (accept,) = proposer.propose("x")
    assert accept == Send(THREE, Accept(Ballot(8, "a"), 0, "x"))
    ask(proposer, acceptors, accept)
    assert all(acceptor.votes[0].value == "x" for acceptor in acceptors.values())


def test_minority_of_silent_acceptors_does_not_hinder_it() -> None:
    """It need only “communicate successfully with a majority of acceptors”."""
    acceptors = {name: Acceptor() for name in THREE}
    proposer = Proposer("a", Majority(THREE))
    for effect in proposer.prepare(0):
        if isinstance(effect, Send):
            ask(proposer, acceptors, Send(("a", "b"), effect.message))
    assert isinstance(proposer.state, Leading)


def test_one_proposer_left_alone_makes_every_node_learn() -> None:
    """“a distinguished proposer must be selected as the only one to try issuing proposals”."""
    for seed in range(20):
        cluster = RoleCluster(seed, nodes=5, proposers=3, slots=3)
        for _ in range(100):
            cluster.step()
        cluster.settle()
        assert all(seat.learner.frontier >= 3 for seat in cluster.seats.values())
