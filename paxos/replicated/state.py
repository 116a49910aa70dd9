"""What the chosen log means: one deterministic state, equal at equal position on every node."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from attrs import define, field, frozen

from paxos.protocol.effects import Effect
from paxos.replicated.values import Batch, Command, Leadership, LogValue, Session

SESSION_WINDOW = 1 << 16
"""A session's number this far below its highest is refused: it may have been applied already."""


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
class Failure:
    """The answer of a state machine that raised an error."""

    error: str


Result: TypeAlias = bytes | Failure


@frozen
class Applied(Effect):
    """A slot took effect."""

    slot: int
    value: LogValue
    fresh: tuple[Command, ...]
    """The commands that took effect: those of the value without repetitions."""
    results: tuple[tuple[int, Result], ...]
    """The number and the result of each command of this node's own session."""


@define
class AppliedNumbers:
    """Which numbers of one session were applied; bounded however many there are."""

    boot: int
    low: int = 0
    """Every number below was applied, or never will be."""
    above: set[int] = field(factory=set)

    @staticmethod
    def first_time(sessions: dict[str, AppliedNumbers], command: Command) -> bool:
        """At most once: tell whether this session's number was never applied before; note it."""
        (node, boot), number = command.session, command.number
        applied = sessions.get(node)
        if applied is None or applied.boot < boot:
            applied = sessions[node] = AppliedNumbers(boot)
        return applied.boot == boot and applied.add(number)

    def add(self, number: int) -> bool:
        """Note a number; False when it was applied before or is too old to tell."""
        if number < self.low or number in self.above:
            return False
        self.above.add(number)
        if number - self.low >= SESSION_WINDOW:
            self.low = number - SESSION_WINDOW + 1
            self.above = {other for other in self.above if other >= self.low}
        while self.low in self.above:
            self.above.remove(self.low)
            self.low += 1
        return True


@define
class ReplicatedState:
    """The state machine of the application, with the leaderships and sessions of the log."""

    machine: StateMachine
    leadership: Leadership | None = None
    """The last leadership that was chosen, whether or not its leader lives."""
    sessions: dict[str, AppliedNumbers] = field(factory=dict)
    """By node; a node's newer session ends its older one."""

    def apply(self, slot: int, value: LogValue, mine: Session) -> Applied:
        """Let one slot take effect; ``mine`` is the session whose results are wanted."""
        fresh: list[Command] = []
        results: list[tuple[int, Result]] = []
        match value:
            case Batch(commands=commands):
                for command in commands:
                    if AppliedNumbers.first_time(self.sessions, command):
                        fresh.append(command)
                        result = self._apply(command.data)
                        if command.session == mine:
                            results.append((command.number, result))
            case Leadership():
                self._lead(value)
        return Applied(slot, value, tuple(fresh), tuple(results))

    def _lead(self, leadership: Leadership) -> None:
        """Take over. A leader proposes its leadership only when it knows the log below the slot."""
        last = 0 if self.leadership is None else self.leadership.epoch
        assert leadership.epoch == last + 1, f"{leadership} follows epoch {last}"
        self.leadership = leadership

    def _apply(self, data: bytes) -> Result:
        try:
            return self.machine.apply(data)
        except Exception as error:  # the application's error is an answer, not ours to judge
            return Failure(f"{type(error).__name__}: {error}")
