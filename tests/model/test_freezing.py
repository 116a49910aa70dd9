from __future__ import annotations

from collections import deque

import pytest
from attrs import define

from paxos.protocol import Acceptor, Ballot, Learner, Majority, Prepare, Proposer, Voted
from paxos.protocol.messages import Promise, Vote
from paxos.testing.freezing import freeze, thaw

QUORUMS = Majority(("a", "b", "c"))


def test_thawed_roles_are_equal_to_what_was_frozen() -> None:
    acceptor, learner, proposer = Acceptor(), Learner("a", QUORUMS), Proposer("a", QUORUMS)
    acceptor.recall(Voted(3, Ballot(1, "a"), "x"))
    proposer.prepare(0)
    vote = Vote(0, Ballot(1, "b"), "x")
    proposer.handle("b", Promise(proposer.highest, 0, 2, (vote,)))
    for role in (acceptor, learner, proposer):
        assert thaw(freeze(role)) == role
        assert hash(freeze(role)) == hash(freeze(thaw(freeze(role))))


def test_thawed_role_shares_nothing_with_the_frozen_one() -> None:
    acceptor = Acceptor()
    before = freeze(acceptor)
    acceptor.handle("b", Prepare(Ballot(1, "b"), 0))
    acceptor.recall(Voted(0, Ballot(1, "b"), "x"))
    thaw(before).recall(Voted(1, Ballot(2, "b"), "y"))
    assert thaw(before) == Acceptor()
    assert freeze(acceptor) != before


def test_order_in_which_a_dictionary_was_filled_does_not_matter() -> None:
    assert freeze({1: "x", 0: "y"}) == freeze({0: "y", 1: "x"})


def test_kinds_of_collections_are_told_apart() -> None:
    assert len({freeze(kind()) for kind in (set, list, deque, dict)}) == 4


def test_field_of_any_attrs_class_is_part_of_the_snapshot() -> None:
    @define
    class Role:
        old: int
        new: list[int]

    assert freeze(Role(1, [2])) != freeze(Role(1, [3]))
    assert thaw(freeze(Role(1, [2]))) == Role(1, [2])


def test_mutable_thing_of_unknown_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="do not know how to freeze"):
        freeze(bytearray())
