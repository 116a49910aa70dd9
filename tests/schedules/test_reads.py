"""Schedules that broke real implementations: reads."""

from __future__ import annotations

from paxos.protocol import (
    Accept,
    Acceptor,
    Ballot,
    Confirm,
    Confirmation,
    Confirmed,
    Effects,
    Leading,
    Majority,
    Message,
    Prepare,
    Promise,
    Proposer,
    Rejected,
    Send,
)

THREE = ("a", "b", "c")
B1, B2 = Ballot(1, "a"), Ballot(2, "b")


def sent(effects: Effects) -> list[Message]:
    return [effect.message for effect in effects if isinstance(effect, Send)]


def leader(name: str, acceptors: dict[str, Acceptor], *quorum: str) -> Proposer:
    highest = max(acceptor.promised for acceptor in acceptors.values())
    proposer = Proposer(name, Majority(THREE), highest=highest)
    for prepare in sent(proposer.prepare(0)):
        for node in quorum:
            for promise in sent(acceptors[node].handle(name, prepare)):
                proposer.handle(node, promise)
    assert isinstance(proposer.state, Leading)
    return proposer


def confirmed(deposed: Proposer, acceptors: dict[str, Acceptor], number: int) -> bool:
    """Whether a whole round, in which every acceptor is heard, confirms the ballot."""
    assert isinstance(deposed.state, Leading)
    round_ = Confirmation.begin(deposed.state, number)
    complete = False
    for confirm in sent(round_.ask(deposed.quorums)):
        for node, acceptor in acceptors.items():
            for answer in sent(acceptor.handle(deposed.name, confirm)):
                if isinstance(answer, Confirmed):
                    complete = round_.on_confirmed(node, answer, deposed.quorums)
    return complete


def test_deposed_leader_answers_no_read_after_its_successor_has_written() -> None:
    acceptors = {name: Acceptor() for name in THREE}
    first = leader("a", acceptors, "a", "b")
    assert confirmed(first, acceptors, 1)
    second = leader("b", acceptors, "b", "c")  # a hears nothing of it, and believes to lead
    for accept in sent(second.propose("new")):
        for node in ("b", "c"):
            acceptors[node].handle("b", accept)
    assert isinstance(first.state, Leading)
    assert not confirmed(first, acceptors, 2)
    assert confirmed(second, acceptors, 1)


def test_leader_that_was_paused_in_its_round_answers_only_who_asked_before_it_began() -> None:
    """Everybody confirmed, then the successor wrote, then the leader resumes: it may answer those
    who asked before the round, for their reads began before the write ended; nobody else."""
    acceptors = {name: Acceptor() for name in THREE}
    first = leader("a", acceptors, "a", "b")
    assert isinstance(first.state, Leading)
    round_ = Confirmation.begin(first.state, 1)
    (confirm,) = sent(round_.ask(first.quorums))
    answers = {node: sent(acceptors[node].handle("a", confirm)) for node in THREE}
    leader("b", acceptors, "b", "c")
    later = Confirmation.begin(first.state, 2)
    for node, (answer,) in answers.items():
        assert isinstance(answer, Confirmed)
        assert not later.on_confirmed(node, answer, first.quorums)
        round_.on_confirmed(node, answer, first.quorums)
    assert len(round_.nodes) == 3


def test_answer_to_another_ballot_confirms_nothing() -> None:
    acceptors = {name: Acceptor() for name in THREE}
    first = leader("a", acceptors, "a", "b")
    assert isinstance(first.state, Leading)
    round_ = Confirmation.begin(first.state, 1)
    for node in THREE:
        assert not round_.on_confirmed(node, Confirmed(B2, 1), first.quorums)
        assert not round_.on_confirmed("a", Confirmed(B1, 1), first.quorums)
    assert round_.nodes == {"a"}


def test_round_covers_what_the_ballot_found_and_what_it_proposed() -> None:
    acceptors = {name: Acceptor() for name in THREE}
    for node in ("a", "b"):
        acceptors[node].handle("a", Accept(B1, 4, "chosen"))
    second = leader("b", acceptors, "b", "c")
    second.propose("in flight")
    assert isinstance(second.state, Leading)
    assert Confirmation.begin(second.state, 1).slot == 6


def test_acceptor_confirms_nothing_below_its_promise_or_its_vote_and_writes_nothing() -> None:
    acceptor = Acceptor()
    assert acceptor.handle("a", Confirm(B1, 7)) == (Send(("a",), Confirmed(B1, 7)),)
    acceptor.handle("b", Prepare(B2, 0))
    assert acceptor.handle("b", Confirm(B2, 8)) == (Send(("b",), Confirmed(B2, 8)),)
    assert acceptor.handle("a", Confirm(B1, 9)) == (Send(("a",), Rejected(B1, B2)),)
    voter = Acceptor()
    voter.handle("b", Accept(B2, 0, "x"))
    assert voter.handle("a", Confirm(B1, 9)) == (Send(("a",), Rejected(B1, B2)),)


def test_refused_round_tells_a_deposed_leader_that_it_is_deposed() -> None:
    proposer = Proposer("a", Majority(THREE))
    proposer.prepare(0)
    for node in ("a", "b"):
        proposer.handle(node, Promise(B1, 0, 0, ()))
    proposer.handle("b", Rejected(B1, B2))
    assert isinstance(proposer.state, Leading)
    proposer.handle("c", Rejected(B1, B2))
    assert not isinstance(proposer.state, Leading)
