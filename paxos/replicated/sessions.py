"""At most once: which commands of which session have been applied, in bounded memory.

It is part of the replicated state, changed by the chosen log alone, so it is equal at equal
position on every node, whoever proposed a command, however often, through whichever member.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from attrs import define, field, frozen

from paxos.replicated.values import CLIENT_PREFIX, Command, Result, Session

SESSION_WINDOW = 1 << 16
"""A node's number this far below its highest is refused: it may have been applied already."""

MAX_CLIENTS = 10_000
"""How many clients are remembered; the one that was silent for longest is forgotten first."""

MAX_KEPT_ANSWER = 4096
"""A longer answer, in bytes, is not kept for a client that repeats its command."""


@define
class AppliedNumbers:
    """Which numbers of a node's session were applied; many are in flight, in any order."""

    boot: int
    low: int = 0
    """Every number below was applied, or never will be."""
    above: set[int] = field(factory=set)

    def add(self, number: int) -> bool:
        """Note a number; False when it was applied before or is too old to tell."""
        if number == self.low and not self.above:
            self.low = number + 1  # as all below does, for what comes in order
            return True
        if number < self.low or number in self.above:
            return False
        self.above.add(number)
        if number - self.low >= SESSION_WINDOW:
            self._forget_below(number - SESSION_WINDOW + 1)
        while self.low in self.above:
            self.above.remove(self.low)
            self.low += 1
        return True

    def _forget_below(self, low: int) -> None:
        """Give up the numbers below; the window moves one at a time, or by a leap of any size."""
        if low - self.low < SESSION_WINDOW:
            self.above.difference_update(range(self.low, low))
        else:
            self.above = {number for number in self.above if number >= low}
        self.low = low


@frozen
class Answered:
    """A client's last command: a client waits for each answer before its next command."""

    number: int
    slot: int
    result: Result | None
    """None where it was too long to keep."""


@frozen
class SessionsSnapshot:
    """`Sessions` as they were at one position."""

    nodes: tuple[tuple[str, int, int, tuple[int, ...]], ...]
    """Name and `AppliedNumbers` of each; the numbers above ``low`` ascend."""
    clients: tuple[tuple[str, Answered], ...]
    """The one longest silent first."""


@define
class Sessions:
    """What every session has had applied."""

    nodes: dict[str, AppliedNumbers] = field(factory=dict)
    """By name; a node's newer session ends its older one."""
    clients: OrderedDict[str, Answered] = field(factory=OrderedDict)
    """By name, the one longest silent first."""

    def first_time(self, command: Command) -> bool:
        """Tell whether this command was never applied before, and note that it is now."""
        (name, boot), number, _ = command
        if name.startswith(CLIENT_PREFIX):
            last = self.clients.get(name)
            return last is None or last.number < number
        applied = self.nodes.get(name)
        if applied is None or applied.boot < boot:
            applied = self.nodes[name] = AppliedNumbers(boot)
        return applied.boot == boot and applied.add(number)

    def take_run(self, session: Session, commands: Sequence[Command]) -> bool:
        """Note these commands of a node's session where they all come next in it.

        Then each is applied for the first time. Where not, nothing is noted, and `first_time`
        tells of one after the other.
        """
        applied = self.nodes.get(session.node)
        if applied is None or applied.boot != session.boot or applied.above:
            return False
        low = applied.low
        for _, number, _ in commands:
            if number != low:
                return False
            low += 1
        applied.low = low
        return True

    def boot(self, node: str) -> int:
        """Return the newest boot of a node whose commands were applied; 0 if none ever was."""
        applied = self.nodes.get(node)
        return 0 if applied is None else applied.boot

    def keep(self, command: Command, slot: int, result: Result) -> None:
        """Keep a client's answer until its next command, for it may not have arrived."""
        name = command.session.node
        if not name.startswith(CLIENT_PREFIX):
            return  # a node keeps its own answers
        kept = None if isinstance(result, bytes) and len(result) > MAX_KEPT_ANSWER else result
        self.clients[name] = Answered(command.number, slot, kept)
        self.clients.move_to_end(name)
        if len(self.clients) > MAX_CLIENTS:
            self.clients.popitem(last=False)

    def answered(self, command: Command) -> Answered | None:
        """Return what became of a client's repeated command, if that is still known."""
        last = self.clients.get(command.session.node)
        return last if last is not None and last.number == command.number else None

    def snapshot(self) -> SessionsSnapshot:
        """Return a copy that no later command changes."""
        nodes = sorted(self.nodes.items())
        return SessionsSnapshot(
            tuple((name, a.boot, a.low, tuple(sorted(a.above))) for name, a in nodes),
            tuple(self.clients.items()),
        )

    @classmethod
    def restored(cls, snapshot: SessionsSnapshot) -> Sessions:
        """Return the sessions of which this is a snapshot."""
        nodes = {
            name: AppliedNumbers(boot, low, set(above)) for name, boot, low, above in snapshot.nodes
        }
        return cls(nodes, OrderedDict(snapshot.clients))
