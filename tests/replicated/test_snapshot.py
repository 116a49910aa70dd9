from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from attrs import evolve

from paxos.protocol.values import NOOP
from paxos.replicated.decrees import Decree
from paxos.replicated.effect_decrees import Conclude, Concluded, Intend
from paxos.replicated.effects import Intent
from paxos.replicated.election_decrees import Campaign, HandOver, Resign
from paxos.replicated.sessions import Answered
from paxos.replicated.snapshot import Snapshot
from paxos.replicated.state import ReplicatedState
from paxos.replicated.values import Batch, Command, Failure, Leadership, Session
from paxos.wire import read_snapshot, write_snapshot

MINE = Session("node1", 3)
CLIENT = Session("client-1", 0)
OTHER = Session("node2", 1)


class Log:
    """Keeps what it was told, joined."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def apply(self, command: bytes) -> bytes:
        if command == b"!":
            raise ValueError("no")
        self.lines.append(command)
        return b"%d" % len(self.lines)

    def snapshot(self) -> bytes:
        return b"\n".join(self.lines)

    def restore(self, snapshot: bytes) -> None:
        self.lines = snapshot.split(b"\n") if snapshot else []


class LargeLog(Log):
    """The same in parts, of a view that later commands do not change."""

    def snapshot_parts(self) -> Iterator[bytes]:
        lines = self.lines.copy()
        return (line + b"\n" for line in lines)

    def restore_parts(self, parts: Iterable[bytes]) -> None:
        self.lines = b"".join(parts).splitlines()

    def snapshot(self) -> bytes:
        raise AssertionError("it has parts")

    def restore(self, snapshot: bytes) -> None:
        raise AssertionError("it has parts")


def populated(machine: Log) -> ReplicatedState:
    state = ReplicatedState(machine)
    state.apply(0, Leadership("node1", 1), "node1")
    commands = [Command(MINE, number, b"%d" % number) for number in (0, 1, 5)]
    state.apply(1, Batch((*commands, Command(CLIENT, 1, b"c"), Command(CLIENT, 2, b"!"))), "node1")
    decrees: list[Decree] = [
        Campaign(1, 1_000_000, "billing", 0, b"value"),
        Leadership("node1", 1, "billing"),
        Campaign(2, 1_000_000, "reports", -7, b""),
        Resign("reports"),
        Intend("billing", "ann/1", 1, -1, 86_400),
        Conclude("billing", "ann/1", b"receipt", 1_700_000_000),
        Intend("billing", "bob/1", 1, 0, 86_400),
    ]
    batch = tuple(Command(MINE, number, decree) for number, decree in enumerate(decrees, 6))
    state.apply(2, Batch((*batch, Command(OTHER, 0, Campaign(1, 5, "billing", 3, b"")))), "node1")
    state.apply(3, Batch((Command(OTHER, 1, HandOver("billing", 1, "node2")),)), "node1")
    state.apply(4, NOOP, "node1")
    return state


def carried(snapshot: Snapshot) -> Snapshot:
    return read_snapshot(list(write_snapshot(snapshot)))


def whole(snapshot: Snapshot) -> Snapshot:
    return evolve(snapshot, machine=b"".join(snapshot.machine))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Log, LargeLog])
def test_restored_state_equals_the_one_that_was_taken(kind: type[Log]) -> None:
    state, later = populated(kind()), ReplicatedState(kind())
    later.restore(carried(state.snapshot()))
    assert later.machine.lines == [b"0", b"1", b"5", b"c"]  # type: ignore[attr-defined]
    assert later.position == state.position == 5
    assert later.checksum == state.checksum != 0
    assert later.leadership == Leadership("node1", 1)
    assert later.sessions == state.sessions
    assert later.elections == state.elections
    assert later.effects == state.effects
    assert later.effects.open_intents("billing") == (Intent("billing", "bob/1", 1),)
    assert list(later.sessions.clients) == list(state.sessions.clients)


def test_command_is_not_applied_again_after_its_effect_is_only_in_the_snapshot() -> None:
    later = ReplicatedState(Log())
    later.restore(carried(populated(Log()).snapshot()))
    again = Batch((Command(MINE, 5, b"5"), Command(CLIENT, 2, b"!"), Command(MINE, 2, b"new")))
    applied = later.apply(5, again, "node1")
    assert applied.fresh == (Command(MINE, 2, b"new"),)
    assert (Command(CLIENT, 2, b"!").id, 1, Failure("ValueError: no")) in applied.results


def test_snapshot_does_not_show_what_is_applied_later() -> None:
    state = populated(LargeLog())
    snapshot, before = state.snapshot(), populated(LargeLog()).snapshot()
    state.apply(5, Batch((Command(MINE, 20, b"late"), Command(CLIENT, 3, b"d"))), "node1")
    assert whole(snapshot) == whole(before)


def test_equal_logs_give_equal_snapshots_and_another_answer_another_checksum() -> None:
    class Liar(Log):
        def apply(self, command: bytes) -> bytes:
            return super().apply(command) + b"?"

    honest, liar = populated(Log()).snapshot(), populated(Liar()).snapshot()
    assert honest == populated(Log()).snapshot()
    assert evolve(liar, checksum=honest.checksum, sessions=honest.sessions) == honest
    assert liar.checksum != honest.checksum


def test_snapshot_that_is_not_bytes_is_an_error_that_says_so() -> None:
    class Text(Log):
        def snapshot(self) -> bytes:
            return "text"  # type: ignore[return-value]

    with pytest.raises(TypeError, match="returned str, not bytes"):
        ReplicatedState(Text()).snapshot()


def test_silent_clients_keep_their_order_so_that_the_same_one_is_forgotten_next() -> None:
    state = ReplicatedState(Log())
    names = ["client-c", "client-a", "client-b"]
    state.apply(0, Batch(tuple(Command(Session(n, 0), 1, b"x") for n in names)), "node1")
    state.apply(1, Batch((Command(Session("client-c", 0), 2, b"y"),)), "node1")
    snapshot = carried(state.snapshot())
    assert [name for name, _ in snapshot.sessions.clients] == ["client-a", "client-b", "client-c"]
    assert snapshot.sessions.clients[-1][1] == Answered(2, 1, b"4")


def test_elections_go_on_from_a_snapshot_as_they_would_have_without_it() -> None:
    state, later = populated(Log()), ReplicatedState(Log())
    later.restore(carried(state.snapshot()))
    for slot, decree in enumerate(
        (Campaign(2, 5, "other", 0, b""), Resign("billing"), Leadership("node2", 2, "billing")), 5
    ):
        session = OTHER if slot == 5 else MINE
        batch = Batch((Command(session, slot + 10, decree),))
        assert later.apply(slot, batch, "node1") == state.apply(slot, batch, MINE.node)
    assert later.elections == state.elections
    assert later.checksum == state.checksum
    assert later.elections.view("billing").leadership == Leadership("node2", 2, "billing")


def test_effect_is_not_repeated_after_its_outcome_is_only_in_the_snapshot() -> None:
    """Schedule 28: the retry of a charge whose answer was lost, after a snapshot and a restart."""
    state, later = populated(Log()), ReplicatedState(Log())
    later.restore(carried(state.snapshot()))
    again = Command(MINE, 30, Intend("billing", "ann/1", 1, -1, 86_400))
    applied = later.apply(5, Batch((again,)), "node1")
    assert applied.results == ((again.id, 5, Concluded(b"receipt")),)
    assert applied == state.apply(5, Batch((again,)), "node1")
