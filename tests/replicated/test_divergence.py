from __future__ import annotations

import pytest

from paxos.protocol.effects import Effects, Send
from paxos.protocol.quorums import Majority
from paxos.replicated.divergence import KEPT, Comparison
from paxos.replicated.events import StateDiverged
from paxos.replicated.messages import StateChecksum

FIVE = ("a", "b", "c", "d", "e")


def comparison(nodes: tuple[str, ...] = FIVE) -> Comparison:
    return Comparison("a", Majority(nodes))


def said(compared: Comparison, position: int, **checksums: int) -> Effects:
    effects: Effects = ()
    for node, checksum in checksums.items():
        effects += compared.on_checksum(node, StateChecksum(position, checksum))
    return effects


def test_newest_checksum_is_told_to_the_others_once() -> None:
    compared = comparison()
    compared.passed(256, 1)
    compared.passed(512, 2)
    assert compared.tell() == (Send(("b", "c", "d", "e"), StateChecksum(512, 2)),)
    assert compared.tell() == ()


@pytest.mark.parametrize("own_first", [True, False])
def test_who_differs_from_a_quorum_stops(own_first: bool) -> None:
    compared = comparison()
    effects: Effects = ()
    if own_first:
        effects += compared.passed(256, 1)
    effects += said(compared, 256, b=2, c=2, d=2)
    if not own_first:
        effects += compared.passed(256, 1)
    (event,) = effects
    assert isinstance(event, StateDiverged)
    assert "below slot 256 differs from that of b, c, d:" in compared.diverged


def test_who_agrees_with_a_quorum_goes_on() -> None:
    compared = comparison()
    assert compared.passed(256, 2) == said(compared, 256, b=1, c=1, d=2, e=2) == ()
    assert not compared.diverged


def test_fewer_than_a_quorum_prove_nothing_and_neither_do_others_among_themselves() -> None:
    compared = comparison()
    compared.passed(256, 1)
    assert said(compared, 256, b=2, c=2, d=3, e=4) == ()
    assert said(compared, 256, b=2, stranger=2) == ()


def test_checksums_of_other_positions_are_not_compared() -> None:
    compared = comparison()
    compared.passed(256, 1)
    assert said(compared, 512, b=2, c=2, d=2) == ()
    assert compared.passed(512, 2) == ()


def test_what_is_remembered_of_each_node_is_bounded() -> None:
    compared = comparison()
    for position in range(256, 256 * 1000, 256):
        said(compared, position, b=position)
        compared.passed(position, position)
    assert {len(marks) for marks in compared._marks.values()} == {KEPT}
