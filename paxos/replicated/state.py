"""What the chosen log means: one deterministic state, equal at equal position on every node."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, repeat
from operator import itemgetter
from typing import Protocol, runtime_checkable

from attrs import define, field, frozen

from paxos.protocol.effects import Effect
from paxos.replicated.decrees import Change, Decree, Ruling
from paxos.replicated.effect_decrees import EffectDecree
from paxos.replicated.effects import Effects
from paxos.replicated.election_decrees import ElectionDecree
from paxos.replicated.elections import Elections
from paxos.replicated.sessions import Sessions
from paxos.replicated.snapshot import Snapshot
from paxos.replicated.values import (
    CLIENT_PREFIX,
    Batch,
    Command,
    CommandId,
    Failure,
    Leadership,
    LogValue,
    Result,
    Session,
)

_session_of = itemgetter(0)

MAX_ERROR = 4000
"""How much is kept of an error's text, in characters."""


def in_words(error: Exception) -> str:
    """Return an application's error as text that can be sent, whatever the error is."""
    try:
        text = str(error)
    except Exception as another:  # the text is the application's code, too
        text = f"(str() of it raised {type(another).__name__})"
    text = f"{type(error).__name__}: {text}"[:MAX_ERROR]
    return text.encode(errors="replace").decode()  # a lone surrogate has no bytes


def _said(result: Result | Ruling) -> bytes:
    """Return what nodes compare of a result."""
    if isinstance(result, Failure):  # its kind: texts differ between versions of Python
        return result.kind.encode()
    return result if isinstance(result, bytes) else str(result).encode()


class StateMachine(Protocol):
    """What an application replicates: deterministic, on bytes.

    A snapshot is taken now and then, in the same loop as everything else. Where that would take
    too long, or twice the memory, the machine is better a `LargeStateMachine`.
    """

    def apply(self, command: bytes) -> bytes:
        """Change the state and answer. An error raised here is the answer, on every node alike."""
        ...

    def snapshot(self) -> bytes:
        """Return the whole state."""
        ...

    def restore(self, snapshot: bytes) -> None:
        """Replace the whole state by what `snapshot` returned, here or on another node."""
        ...


@runtime_checkable
class LargeStateMachine(Protocol):
    """A state machine whose state is too large for one piece of bytes, or for one moment.

    It has these two methods beside `apply`; ``snapshot`` and ``restore`` are then not called.
    """

    def snapshot_parts(self) -> Iterator[bytes]:
        """Return the whole state as it is now, in parts, to be produced one by one.

        The call must be quick: take a copy-on-write view, or note what to keep. The parts are
        asked for later and in another thread, while `apply` goes on; they must not show it. Parts
        of some 100 KiB are best.
        """
        ...

    def restore_parts(self, parts: Iterable[bytes]) -> None:
        """Replace the whole state; the parts, joined, are those of a snapshot, cut anyhow."""
        ...


@runtime_checkable
class QueryableStateMachine(Protocol):
    """A state machine that also answers questions which change nothing, without the log."""

    def query(self, question: bytes) -> bytes:
        """Answer from the state as it is. An error raised here is the answer."""
        ...


@frozen
class Applied(Effect):
    """A slot took effect."""

    slot: int
    value: LogValue
    fresh: tuple[Command, ...]
    """The commands that took effect: those of the value without repetitions."""
    results: tuple[tuple[CommandId, int, Result | Ruling | None], ...]
    """Command, slot of its application, and result: of this node's own commands and of clients'.
    The result is None where it is not known any more, as for a command that is repeated because
    this node's state jumped over its first application."""
    changes: tuple[Change, ...] = ()
    """What decrees among the fresh commands changed, in order."""
    log_bytes: int = 0
    """About how many bytes the log has grown by."""
    urgent: bool = True
    """Whether another node, or one of its clients, may wait for what it proposed here."""


@define
class Done:
    """What a slot has done, while it takes effect; see `Applied`."""

    slot: int
    fresh: list[Command] = field(factory=list)
    results: list[tuple[CommandId, int, Result | Ruling | None]] = field(factory=list)
    changes: list[Change] = field(factory=list)
    said: list[bytes] = field(factory=list)
    """The results of all fresh commands, as bytes."""
    urgent: bool = False


@define
class ReplicatedState:
    """The state machine of the application, and what the log decides beside it."""

    machine: StateMachine
    leadership: Leadership | None = None
    """The last leadership that was chosen, whether or not its leader lives."""
    sessions: Sessions = field(factory=Sessions)
    elections: Elections = field(factory=Elections)
    effects: Effects = field(factory=Effects)
    position: int = 0
    """The first slot that has not taken effect."""
    checksum: int = 0
    """Of all commands that took effect and of their results, in order: nodes that differ here at
    one position have diverged, by a machine that is not deterministic or by a fault of theirs."""

    def apply(self, slot: int, value: LogValue, mine: str) -> Applied:
        """Let one slot take effect; ``mine`` is the node whose results are wanted."""
        done = Done(slot)
        asked = b""
        match value:
            case Batch(commands=commands):
                self._take_all(commands, mine, done)
                asked = b"".join(
                    [d if type(d) is bytes else str(d).encode() for _, _, d in done.fresh]
                )
            case Leadership():
                done.urgent = True
                self._lead(value)
                asked = str(value).encode()
        self.checksum = zlib.crc32(b"".join(done.said), zlib.crc32(asked, self.checksum))
        self.position = slot + 1
        fresh, results, changes = tuple(done.fresh), tuple(done.results), tuple(done.changes)
        return Applied(slot, value, fresh, results, changes, len(asked), done.urgent)

    def _take_all(self, commands: Iterable[Command], mine: str, done: Done) -> None:
        """Let commands take effect that never did before, and find the results that are wanted."""
        for session, group in groupby(commands, _session_of):
            run = list(group)
            own = session.node == mine
            if not own or {type(data) for _, _, data in run} != {bytes}:
                done.urgent = True
            if self.sessions.take_run(session, run):  # nearly always
                results = self._take(run, done)
                if own:
                    done.results += zip([c[:2] for c in run], repeat(done.slot), results)
            else:
                for command in run:
                    self._take_if_new(command, own, done)

    def _take_if_new(self, command: Command, own: bool, done: Done) -> None:
        result: Result | Ruling | None = None
        if self.sessions.first_time(command):
            (result,) = self._take((command,), done)
        if own:
            done.results.append((command.id, done.slot, result))
        elif command.session.node.startswith(CLIENT_PREFIX):
            if isinstance(result, bytes | Failure):
                self.sessions.keep(command, done.slot, result)
            done.results.append(self._client_result(command))

    def _take(self, commands: Sequence[Command], done: Done) -> list[Result | Ruling]:
        """Give commands to the machine, and decrees to the parts of the state that they are for."""
        results = [
            self._decree(data, done.slot, session, done.changes)
            if isinstance(data, Decree)
            else self._apply(data)
            for session, _, data in commands
        ]
        done.fresh += commands
        done.said += [said if type(said) is bytes else _said(said) for said in results]
        return results

    def _decree(self, decree: Decree, slot: int, session: Session, changes: list[Change]) -> Ruling:
        if isinstance(decree, EffectDecree):
            return self.effects.apply(decree, slot, session, self.elections)
        assert isinstance(decree, ElectionDecree | Leadership), f"{decree} is for no part"
        return self.elections.apply(decree, session, changes)

    def snapshot(self) -> Snapshot:
        """Return the whole state at its position; what is applied later does not change it."""
        machine = self.machine
        if isinstance(machine, LargeStateMachine):
            parts: Iterable[bytes] = machine.snapshot_parts()
        else:
            whole: object = machine.snapshot()
            if not isinstance(whole, bytes):
                raise TypeError(f"snapshot() returned {type(whole).__name__}, not bytes")
            parts = (whole,)
        return Snapshot(
            position=self.position,
            checksum=self.checksum,
            leadership=self.leadership,
            sessions=self.sessions.snapshot(),
            elections=self.elections.snapshot(),
            effects=self.effects.snapshot(),
            machine=parts,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Replace the whole state by that of a snapshot."""
        if isinstance(self.machine, LargeStateMachine):
            self.machine.restore_parts(snapshot.machine)
        else:
            self.machine.restore(b"".join(snapshot.machine))
        self.position = snapshot.position
        self.checksum = snapshot.checksum
        self.leadership = snapshot.leadership
        self.sessions = Sessions.restored(snapshot.sessions)
        self.elections = Elections.restored(snapshot.elections)
        self.effects = Effects.restored(snapshot.effects)

    def _client_result(self, command: Command) -> tuple[CommandId, int, Result | None]:
        answered = self.sessions.answered(command)
        if answered is None:
            return command.id, -1, None
        return command.id, answered.slot, answered.result

    def _lead(self, leadership: Leadership) -> None:
        """Take over. A leader proposes its leadership only when it knows the log below the slot."""
        last = 0 if self.leadership is None else self.leadership.epoch
        assert leadership.epoch == last + 1, f"{leadership} follows epoch {last}"
        self.leadership = leadership

    def _apply(self, data: bytes) -> Result:
        try:
            answer: object = self.machine.apply(data)
        except Exception as error:  # the application's error is an answer, not ours to judge
            return Failure(in_words(error))
        if isinstance(answer, bytes):
            return answer
        return Failure(f"TypeError: apply() returned {type(answer).__name__}, not bytes")
