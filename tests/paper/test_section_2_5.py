"""*Paxos Made Simple*, section 2.5: the implementation."""

from __future__ import annotations

from paxos.protocol import (
    Accept,
    Acceptor,
    Ballot,
    Begun,
    Effects,
    Majority,
    Persist,
    Prepare,
    Proposer,
    Send,
)

THREE = ("a", "b", "c")
B1, B2 = Ballot(1, "a"), Ballot(2, "b")


def is_durable_first(effects: Effects) -> bool:
    kinds = [type(effect) for effect in effects if isinstance(effect, Persist | Send)]
    return kinds[0] is Persist and kinds.count(Persist) == 1


def test_intended_response_is_in_stable_storage_before_it_is_sent() -> None:
    """“An acceptor records its intended response in stable storage before actually sending” it."""
    assert is_durable_first(Acceptor().handle("a", Prepare(B1, 0)))
    assert is_durable_first(Acceptor().handle("a", Accept(B1, 0, "x")))


def test_what_the_acceptor_must_remember_survives_its_failure() -> None:
    """“Stable storage, preserved during failures”, holds what the acceptor must remember."""
    acceptor, restarted = Acceptor(), Acceptor()
    for message in (Prepare(B1, 0), Accept(B1, 0, "x"), Accept(B1, 4, "y"), Prepare(B2, 0)):
        for effect in acceptor.handle("a", message):
            if isinstance(effect, Persist):
                restarted.recall(effect.record)
    assert restarted == acceptor
    assert restarted.promised == B2


def test_proposer_remembers_in_stable_storage_the_highest_number_it_tried() -> None:
    """It “begins phase 1 with a higher proposal number than any it has already used”."""
    proposer = Proposer("a", Majority(THREE))
    used = [effect for _ in range(3) for effect in proposer.prepare(0)]
    assert is_durable_first(proposer.prepare(0))
    restarted = Proposer("a", Majority(THREE))
    for effect in used:
        if isinstance(effect, Persist):
            restarted.recall(effect.record)
    assert restarted.prepare(0)[0] == Persist(Begun(Ballot(4, "a")))


def test_different_proposers_never_issue_a_proposal_with_the_same_number() -> None:
    """“Different proposers choose their numbers from disjoint sets of numbers”."""
    begun: list[Ballot] = []
    for name in THREE:
        proposer = Proposer(name, Majority(THREE))
        for _ in range(3):
            persist = proposer.prepare(0)[0]
            assert isinstance(persist, Persist)
            assert isinstance(persist.record, Begun)
            begun.append(persist.record.ballot)
    assert len(set(begun)) == len(begun)
