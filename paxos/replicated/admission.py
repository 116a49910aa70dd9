"""Whether this node may vote: it asks the others before it does, since its journal may be lying.

A journal that was restored from an old copy, or made anew where the old one is gone, looks
perfectly healthy, even to the witness beside it if that was restored, too. But others have heard
the node: each message of a voting node tells which journal it has and how many writes that counts,
and the leader passes on what it knows. So a node votes only after so many others, that they make a
quorum with it, have told what they remember of it, and none remembers more than its journal holds.
That costs no availability: without a quorum it could decide nothing anyway.

A node that has forgotten something learns like any other, and votes again when all the others have
helped it to replace what it forgot (`paxos.protocol.readmission`).

What this cannot see: a journal that was rolled back by less than a heartbeat, witness and all; and
one that was replaced while every other node was down, too, and forgot it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from attrs import define, field, frozen

from paxos.protocol.effects import Effects, Persist
from paxos.protocol.events import Event
from paxos.protocol.messages import Memory, Message, Promise, Vote
from paxos.protocol.quorums import Quorums
from paxos.protocol.readmission import Readmission
from paxos.protocol.records import Doubted, Record
from paxos.replicated.timing import Timing


class Mark(NamedTuple):
    """Which journal a node has, and how far it was written when the node was last heard."""

    node: str
    journal: int
    """The journal's identity, drawn at random when it was made."""
    writes: int


@frozen
class JournalDoubted(Event):
    """The journal of a node has forgotten something, as far as one can tell."""

    why: str


@frozen
class NodeReadmitted(Event):
    """A node has replaced what it had forgotten, and votes again."""


@define
class Admission:
    """Decides whether this node may vote and stand."""

    name: str
    quorums: Quorums
    timing: Timing
    journal: Callable[[], tuple[int, int]]
    """Returns the identity of this node's journal, and how many writes are durable."""
    doubt: str = ""
    """Why the journal may have forgotten something; empty when it has not."""
    admitted: bool = False
    failure: str = ""
    """Why this life of the node never votes again; empty as long as its journal can be written."""
    known: dict[str, Mark] = field(factory=dict)
    """By name, the journals of the other members."""
    answered: set[str] = field(factory=set)
    patience: float = 0.0
    """Seconds between the last asking and the next."""
    due: float = float("-inf")
    """When to ask again."""
    repeat: float = float("-inf")
    """When to send again what is under way."""
    opened: tuple[int, int] = (0, 0)
    """The journal when this life of the node began."""
    readmission: Readmission = field(init=False)

    def __attrs_post_init__(self) -> None:
        """See whether anybody must be asked."""
        members = self.quorums.members(0)
        others = tuple(node for node in members if node != self.name)
        self.readmission = Readmission(self.name, others)
        self.opened = self.journal()
        self.admitted = not self.doubt and self._is_quorum()

    @property
    def voting(self) -> bool:
        """Whether this node votes and stands; else it is silent, but for what it learns."""
        return self.admitted and not self.failure

    @property
    def asking(self) -> bool:
        """Whether it is silent only until the others have answered.

        One whose journal has failed asks nobody: a ballot that it begins for that is not durable.
        """
        return not self.admitted and not self.failure

    @property
    def why(self) -> str:
        """Why this node may not vote, for people; empty when it may."""
        if self.admitted or self.failure:
            return self.failure
        if not self.doubt:
            members, answered = self.quorums.members(0), len(self.answered) + 1
            return (
                f"just started: only {answered} of {len(members)} members answer, this one "
                f"included; {self._needed(members)} are needed"
            )
        silent = [n for n in self.readmission.others if n not in self.readmission.memories]
        waits = f"; votes again when {', '.join(silent)} answers" if silent else ""
        return f"{self.doubt}{waits}"

    # What nodes tell one another of their journals.

    @property
    def own(self) -> Mark:
        """What this node tells the others of its journal."""
        return Mark(self.name, *self.journal())

    def marks(self) -> tuple[Mark, ...]:
        """Return what a leader passes on."""
        return (self.own, *self.known.values())

    def note(self, mark: Mark) -> None:
        """Hear of the journal of a node that votes."""
        known = self.known.get(mark.node)
        same = known is not None and known.journal == mark.journal
        if mark.node in self.readmission.others and not (same and mark.writes <= known.writes):  # type: ignore[union-attr]
            self.known[mark.node] = mark

    def remember(self, node: str) -> tuple[int, int]:
        """Return the journal of another node and its writes as far as is known here, or zeros."""
        known = self.known.get(node)
        return (0, 0) if known is None else (known.journal, known.writes)

    # A node that is not admitted yet.

    def excuse(self, names: Iterable[str]) -> None:
        """Do without the help of some others, on the word of a person who knows that they are gone.

        At least one must be left: the log has to come from somebody.
        """
        others = tuple(node for node in self.readmission.others if node not in set(names))
        if others and not self.admitted:
            self.readmission.others = others
            self.due = self.patience = 0.0

    def wake(self, now: float) -> Effects:
        """Ask the others, again and again until this node is admitted."""
        if not self.asking:
            return ()
        if now < self.due:
            if now < self.repeat:
                return ()
            self.repeat = now + self.timing.suspicion
            return self.readmission.repeat()
        least, most = self.timing.heartbeat, 64 * self.timing.suspicion
        if self.doubt:  # each attempt may end a leader's ballot
            least = 4 * self.timing.suspicion
        self.patience = min(max(least, 2 * self.patience), most if self.doubt else least)
        self.due, self.repeat = now + self.patience, now + self.timing.suspicion
        return self.readmission.ask()

    def handle(
        self, source: str, message: Message, frontier: int, votes: Mapping[int, Vote]
    ) -> tuple[Effects, tuple[Record, ...]]:
        """Take an answer; return effects, and the records that the roles take to be readmitted.

        ``frontier`` is the first slot that is not learned, ``votes`` what the acceptor still has.
        """
        match message:
            case Memory() if not self.doubt:
                return self._compare(source, message), ()
            case Memory():
                return self.readmission.on_memory(source, message, frontier), ()
            case Promise() if self.doubt:
                self.readmission.on_promise(source, message)
        if not self.doubt:
            return (), ()
        records = self.readmission.conclude(frontier, votes)
        if not records:
            return (), ()
        self.doubt, self.admitted = "", True
        return (NodeReadmitted(),), records

    def _compare(self, source: str, memory: Memory) -> Effects:
        """See whether another node remembers more of this one than its journal does."""
        if memory.number != self.readmission.attempt or source not in self.readmission.others:
            return ()
        journal, writes = self.opened
        if memory.journal not in (0, journal):
            self.doubt = f"{source} knows this node by another journal, which is gone"
        elif memory.writes > writes:
            self.doubt = (
                f"the journal went backwards: it had {writes} writes when it was opened, "
                f"and {source} remembers {memory.writes}"
            )
        else:
            self.answered.add(source)
            self.admitted = self._is_quorum()
            return ()
        self.due = float("-inf")
        return (JournalDoubted(self.doubt), Persist(Doubted(self.doubt)))

    def _needed(self, members: tuple[str, ...]) -> int:
        counts = range(1, len(members) + 1)
        return next(n for n in counts if self.quorums.is_prepare_quorum(0, set(members[:n])))

    def _is_quorum(self) -> bool:
        return self.quorums.is_prepare_quorum(0, self.answered | {self.name})
