"""What the chosen log means: one deterministic state, equal at equal position on every node."""

from __future__ import annotations

from typing import Protocol

from attrs import define, field, frozen

from paxos.protocol.effects import Effect
from paxos.replicated.sessions import Sessions
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

MAX_ERROR = 4000
"""How much is kept of an error's text, in characters."""


class StateMachine(Protocol):
    """What an application replicates: deterministic, on bytes."""

    def apply(self, command: bytes) -> bytes:
        """Change the state and answer. An error raised here is the answer, on every node alike."""
        ...

    def snapshot(self) -> bytes:
        """Return the whole state."""
        ...

    def restore(self, snapshot: bytes) -> None:
        """Replace the whole state by what `snapshot` returned, here or on another node."""
        ...


@frozen
class Applied(Effect):
    """A slot took effect."""

    slot: int
    value: LogValue
    fresh: tuple[Command, ...]
    """The commands that took effect: those of the value without repetitions."""
    results: tuple[tuple[CommandId, int, Result | None], ...]
    """Command, slot of its first application, and result: of this node's own commands and of
    clients'. A client's result is None where it is no longer known."""


@define
class ReplicatedState:
    """The state machine of the application, with the leaderships and sessions of the log."""

    machine: StateMachine
    leadership: Leadership | None = None
    """The last leadership that was chosen, whether or not its leader lives."""
    sessions: Sessions = field(factory=Sessions)

    def apply(self, slot: int, value: LogValue, mine: Session) -> Applied:
        """Let one slot take effect; ``mine`` is the session whose results are wanted."""
        fresh: list[Command] = []
        results: list[tuple[CommandId, int, Result | None]] = []
        match value:
            case Batch(commands=commands):
                for command in commands:
                    if self.sessions.first_time(command):
                        fresh.append(command)
                        result = self._apply(command.data)
                        self.sessions.keep(command, slot, result)
                        if command.session == mine:
                            results.append((command.id, slot, result))
                    if command.session.node.startswith(CLIENT_PREFIX):
                        results.append(self._client_result(command))
            case Leadership():
                self._lead(value)
        return Applied(slot, value, tuple(fresh), tuple(results))

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
            return Failure(f"{type(error).__name__}: {error}"[:MAX_ERROR])
        if isinstance(answer, bytes):
            return answer
        return Failure(f"TypeError: apply() returned {type(answer).__name__}, not bytes")
