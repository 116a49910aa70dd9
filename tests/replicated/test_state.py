from __future__ import annotations

import pytest

from paxos.protocol.values import NOOP
from paxos.replicated.decrees import Carried, Decree, Void
from paxos.replicated.election_decrees import Campaign, LeaderChanged, Renewed, Vacant
from paxos.replicated.state import MAX_ERROR, ReplicatedState
from paxos.replicated.values import Batch, Command, Failure, Leadership, Session

MINE = Session("node1", 3)


class Upper:
    """Answers in capitals, refuses what begins with ``!`` and forgets what bytes are for ``?``."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def apply(self, command: bytes) -> bytes:
        self.seen.append(command)
        if command.startswith(b"!"):
            raise ValueError(command.decode())
        return command.upper() if command != b"?" else "text"  # type: ignore[return-value]

    def snapshot(self) -> bytes:
        return b""

    def restore(self, snapshot: bytes) -> None:
        raise NotImplementedError


def mine(number: int, data: bytes | Decree) -> Command:
    return Command(MINE, number, data)


def test_batch_is_applied_in_order_and_only_results_of_mine_are_reported() -> None:
    state = ReplicatedState(Upper())
    other = Command(Session("node2", 1), 0, b"other")
    applied = state.apply(4, Batch((mine(0, b"a"), other, mine(1, b"b"))), "node1")
    assert applied.results == ((mine(0, b"").id, 4, b"A"), (mine(1, b"").id, 4, b"B"))
    assert applied.fresh == (mine(0, b"a"), other, mine(1, b"b"))


def test_results_of_another_session_of_mine_are_reported_too() -> None:
    """A node that takes a later session still waits for what it sent in the last one."""
    earlier = Command(Session("node1", 2), 0, b"a")
    applied = ReplicatedState(Upper()).apply(0, Batch((earlier,)), "node1")
    assert applied.results == ((earlier.id, 0, b"A"),)


def test_repeated_command_is_applied_once_within_a_batch_and_across_slots() -> None:
    machine = Upper()
    state = ReplicatedState(machine)
    first = state.apply(0, Batch((mine(0, b"a"), mine(0, b"a"))), "node1")
    again = state.apply(1, Batch((mine(0, b"a"),)), "node1")
    assert machine.seen == [b"a"]
    assert first.results == ((mine(0, b"").id, 0, b"A"), (mine(0, b"").id, 0, None))
    assert (again.fresh, again.results) == ((), ((mine(0, b"").id, 1, None),))


def test_repeated_command_of_a_client_is_answered_again_from_memory() -> None:
    machine = Upper()
    state = ReplicatedState(machine)
    command = Command(Session("client-1", 0), 1, b"a")
    expected = ((command.id, 3, b"A"),)
    assert state.apply(3, Batch((command,)), "node1").results == expected
    again = state.apply(9, Batch((command,)), "node1")
    assert (again.fresh, again.results) == ((), expected)
    assert machine.seen == [b"a"]


def test_overtaken_command_of_a_client_has_an_unknown_result() -> None:
    state = ReplicatedState(Upper())
    old, new = (Command(Session("client-1", 0), number, b"a") for number in (1, 2))
    state.apply(0, Batch((new,)), "node1")
    assert state.apply(1, Batch((old,)), "node1").results == ((old.id, -1, None),)


def test_error_of_the_state_machine_is_its_answer() -> None:
    state = ReplicatedState(Upper())
    applied = state.apply(0, Batch((mine(0, b"!no"), mine(1, b"yes"))), "node1")
    assert [result for *_, result in applied.results] == [Failure("ValueError: !no"), b"YES"]


def test_error_text_is_bounded() -> None:
    applied = ReplicatedState(Upper()).apply(0, Batch((mine(0, b"!" + b"x" * 10_000),)), "node1")
    ((_, _, failure),) = applied.results
    assert isinstance(failure, Failure)
    assert len(failure.error) == MAX_ERROR


class WordlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("no \udc80 here"), "ValueError: no ? here"),
        (WordlessError(), "WordlessError: (str() of it raised RuntimeError)"),
    ],
)
def test_error_whose_text_cannot_be_told_is_an_answer_too(error: Exception, expected: str) -> None:
    class Raising(Upper):
        def apply(self, command: bytes) -> bytes:
            raise error

    applied = ReplicatedState(Raising()).apply(0, Batch((mine(0, b"a"),)), "node1")
    assert [result for *_, result in applied.results] == [Failure(expected)]


def test_texts_of_errors_may_differ_among_nodes_and_their_classes_may_not() -> None:
    """A node with a newer Python words its errors in another way, and has not diverged."""

    def checksum(error: Exception) -> int:
        class Raising(Upper):
            def apply(self, command: bytes) -> bytes:
                raise error

        state = ReplicatedState(Raising())
        state.apply(0, Batch((mine(0, b"a"),)), "node1")
        return state.checksum

    assert checksum(KeyError("one way")) == checksum(KeyError("another: way"))
    assert checksum(KeyError("one way")) != checksum(ValueError("one way"))


def test_answer_that_is_not_bytes_is_an_error() -> None:
    applied = ReplicatedState(Upper()).apply(0, Batch((mine(0, b"?"),)), "node1")
    ((_, _, failure),) = applied.results
    assert failure == Failure("TypeError: apply() returned str, not bytes")


def test_command_that_failed_is_not_applied_again() -> None:
    machine = Upper()
    state = ReplicatedState(machine)
    for slot in range(2):
        state.apply(slot, Batch((mine(0, b"!no"),)), "node1")
    assert machine.seen == [b"!no"]


def test_epochs_rise_by_one_even_for_the_same_leader() -> None:
    state = ReplicatedState(Upper())
    for epoch in (1, 2, 3):
        state.apply(epoch, Leadership("node1", epoch), "node1")
        assert state.leadership == Leadership("node1", epoch)
    for wrong in (3, 5, 1):
        with pytest.raises(AssertionError, match="follows epoch 3"):
            state.apply(9, Leadership("node2", wrong), "node1")


def test_first_epoch_is_one() -> None:
    with pytest.raises(AssertionError, match="follows epoch 0"):
        ReplicatedState(Upper()).apply(0, Leadership("node1", 2), "node1")


def test_no_op_changes_nothing() -> None:
    machine = Upper()
    applied = ReplicatedState(machine).apply(0, NOOP, "node1")
    assert (applied.fresh, applied.results, machine.seen) == ((), (), [])


def test_decree_is_for_the_elections_and_not_for_the_machine() -> None:
    machine = Upper()
    state = ReplicatedState(machine)
    stand = mine(0, Campaign(1, 1_000_000, "billing", 0, b""))
    appoint = mine(1, Leadership("node1", 1, "billing"))
    applied = state.apply(
        7, Batch((stand, mine(2, b"a"), appoint, stand, mine(3, appoint.data))), "node1"
    )
    assert machine.seen == [b"a"]
    assert [result for *_, result in applied.results] == [
        Carried(),
        b"A",
        Carried(),
        None,
        Void("billing is at epoch 1 already"),
    ]
    assert applied.changes == (
        Renewed("node1", 3, 1),
        Vacant("billing"),
        LeaderChanged("billing", state.elections.view("billing")),
    )


def test_leaderships_of_named_elections_do_not_concern_the_clusters_own() -> None:
    state = ReplicatedState(Upper())
    state.apply(0, Leadership("node1", 1), "node1")
    state.apply(1, Batch((mine(0, Campaign(1, 1, "billing", 0, b"")),)), "node1")
    state.apply(2, Batch((mine(1, Leadership("node1", 1, "billing")),)), "node1")
    assert state.leadership == Leadership("node1", 1)
