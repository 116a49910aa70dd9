"""Quorums by themselves."""

from __future__ import annotations

from itertools import combinations

import pytest

from paxos.protocol.quorums import Majority


@pytest.mark.parametrize(("nodes", "size"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4)])
def test_majority_is_more_than_half(nodes: int, size: int) -> None:
    members = tuple("abcdef"[:nodes])
    quorums = Majority(members)
    for count in range(nodes + 1):
        for some in combinations(members, count):
            assert quorums.is_prepare_quorum(0, set(some)) == (count >= size)
            assert quorums.is_accept_quorum(0, set(some)) == (count >= size)


def test_every_prepare_quorum_meets_every_accept_quorum() -> None:
    members = tuple("abcde")
    quorums = Majority(members)
    subsets = [set(some) for count in range(6) for some in combinations(members, count)]
    for promises in filter(lambda some: quorums.is_prepare_quorum(7, some), subsets):
        for votes in filter(lambda some: quorums.is_accept_quorum(7, some), subsets):
            assert promises & votes


def test_strangers_count_for_nothing() -> None:
    assert not Majority(("a", "b", "c")).is_prepare_quorum(0, {"a", "x", "y", "z"})
    assert not Majority(("a", "b", "c")).is_accept_quorum(0, {"a", "x", "y", "z"})


@pytest.mark.parametrize("nodes", [(), ("a", "a")])
def test_membership_needs_at_least_one_node_each_once(nodes: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="at least one node, each once"):
        Majority(nodes)


def test_members_keep_the_order_of_their_rank() -> None:
    assert Majority(("b", "a")).members(3) == ("b", "a")
