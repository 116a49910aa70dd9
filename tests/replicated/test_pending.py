from __future__ import annotations

import pytest

from paxos.replicated import pending as module
from paxos.replicated.decrees import Decree
from paxos.replicated.pending import FULL_BATCH, Pending
from paxos.replicated.values import (
    MAX_BATCH_BYTES,
    Command,
    CommandId,
    Session,
)


def commands(node: str, count: int, size: int = 1) -> list[Command]:
    return [Command(Session(node, 1), number, bytes(size)) for number in range(count)]


def nodes_of(batch: tuple[Command, ...]) -> list[str]:
    return [command.session.node for command in batch]


def test_batch_of_one_node_has_its_commands_in_order() -> None:
    pending, known = Pending(), set[CommandId]()
    pending.add("a", commands("a", FULL_BATCH + 10), known)
    assert [c.number for c in pending.batch(known)] == list(range(FULL_BATCH))
    assert [c.number for c in pending.batch(known)] == list(range(FULL_BATCH, FULL_BATCH + 10))
    assert not pending
    assert pending.batch(known) == ()


def test_node_with_one_command_does_not_wait_for_all_of_another() -> None:
    pending, known = Pending(), set[CommandId]()
    pending.add("a", commands("a", 8000), known)
    pending.add("b", commands("b", 1), known)
    assert "b" in nodes_of(pending.batch(known))


def test_every_node_has_an_equal_share_of_a_full_batch() -> None:
    pending, known = Pending(), set[CommandId]()
    for node in "abcd":
        pending.add(node, commands(node, 5000), known)
    nodes = nodes_of(pending.batch(known))
    assert {node: nodes.count(node) for node in "abcd"} == dict.fromkeys("abcd", FULL_BATCH // 4)


def test_what_one_node_does_not_need_goes_to_the_others() -> None:
    pending, known = Pending(), set[CommandId]()
    pending.add("a", commands("a", 10), known)
    pending.add("b", commands("b", 5000), known)
    nodes = nodes_of(pending.batch(known))
    assert (nodes.count("a"), nodes.count("b")) == (10, FULL_BATCH - 10)


def test_nodes_with_large_commands_take_turns() -> None:
    pending, known = Pending(), set[CommandId]()
    for node in "ab":
        pending.add(node, commands(node, 3, MAX_BATCH_BYTES), known)
    batches = [nodes_of(pending.batch(known)) for _ in range(6)]
    assert sorted(batches[:2]) == sorted(batches[2:4]) == [["a"], ["b"]]


def test_large_command_is_the_last_of_its_batch_and_bytes_bound_a_batch() -> None:
    pending, known = Pending(), set[CommandId]()
    pending.add("a", commands("a", 1, 3 * MAX_BATCH_BYTES), known)
    pending.add("b", commands("b", 5, MAX_BATCH_BYTES // 4), known)
    assert nodes_of(pending.batch(known)) == ["a"]
    assert nodes_of(pending.batch(known)) == ["b"] * 4
    assert nodes_of(pending.batch(known)) == ["b"]


def test_repeated_command_waits_once_and_one_that_came_through_two_nodes_passes_once() -> None:
    pending, known = Pending(), set[CommandId]()
    some = commands("a", 3)
    pending.add("a", some, known)
    pending.add("a", some, known)
    pending.add("b", some, known)
    assert list(pending.batch(known)) == some
    pending.add("b", some, known)
    assert not pending


def test_one_node_cannot_take_the_room_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 10)
    monkeypatch.setattr(module, "MAX_PENDING_BYTES", 100)
    pending, known = Pending(), set[CommandId]()
    pending.add("a", commands("a", 15), known)
    pending.add("b", commands("b", 8), known)
    pending.add("c", commands("c", 8, 30), known)
    assert len(pending) == 10 + 8 + 3
    assert pending.dropped == 5 + 5


def test_decrees_do_not_wait_behind_their_nodes_commands() -> None:
    pending, known = Pending(), set[CommandId]()
    decree = Command(Session("a", 1), 9000, Decree())
    pending.add("a", commands("a", 8000), known)
    pending.add("a", [decree], known)
    assert decree in pending.batch(known)
