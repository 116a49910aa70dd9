"""Reads from a node's own state that miss nothing which was answered before they began.

A reader waits until its node has applied every slot below a *read point*; `Confirmation` tells
why that is enough. The leader finds a read point with one round for all readers that wait; who
comes while it is under way shares the next. Any other node asks the leader, or the node through
which it reaches one, and answers those who asked it meanwhile: so a question may pass through
several nodes, and each of them asks once for everybody. Whoever answers, and however late: an
answer to a question is a read point for all who had come before the question was first sent.
"""

from __future__ import annotations

from typing import NamedTuple

from attrs import define, field, frozen

from paxos.protocol.confirmation import Confirmation
from paxos.protocol.effects import Effect, Effects, Send
from paxos.protocol.messages import Confirmed
from paxos.protocol.proposer import Leading, Proposer
from paxos.replicated.messages import Read, Readable

FIRST_PAUSE = 0.05
"""Seconds until a question is asked again; each pause is twice as long as the one before."""

MAX_PAUSE = 1.0
"""The longest such pause, in seconds."""

DETOUR_AFTER = 3
"""A question that was asked more often goes to another member: the leader may not hear us."""

RECHECK = 0.2
"""Seconds after which a read point that is not applied yet is asked for again.

The leader may have been lost together with what it had proposed below the point: then the log
need never grow so far, and the next leader's point is lower. Either suffices.
"""

MAX_POINTS = 256
"""How many read points of its own a node that lags keeps; a later one stands for the last, too."""


class Ticket(NamedTuple):
    """An asker's number of a read; a later one of the same asker stands for the earlier ones."""

    boot: int
    """Which life of the asker: an answer to an earlier one says nothing about this."""
    number: int


@frozen
class ReadsReady(Effect):
    """Every read of this node up to this number may look at the state now.

    What suffices for one suffices for those that began before it.
    """

    number: int


@define
class Question:
    """What this node wants to know, for all who came before it was first asked."""

    number: int
    askers: dict[str, Ticket]
    due: float
    """When it is asked again."""
    pause: float = FIRST_PAUSE
    asked: int = 0
    """How often another node was asked."""
    round: Confirmation | None = None
    """While this node leads, it answers the question itself."""


@define
class Reading:
    """Finds read points for this node's readers and for the nodes that ask it."""

    proposer: Proposer
    boot: int
    """Which life of this node this is."""
    reads: int = 0
    """How many reads this node's own tasks have begun."""
    questions: int = 0
    waiting: dict[str, Ticket] = field(factory=dict)
    """By node, the last read that no question covers yet."""
    question: Question | None = None
    points: dict[int, int] = field(factory=dict)
    """This node's own reads whose point is known but not applied yet: number, and slot."""
    frontier: int = 0
    """Every slot below is applied here."""
    recheck: float = 0.0
    """When the points are asked for again, if they are still not applied."""
    awaited: int = 0
    """Readers of other nodes wait for every slot below."""

    @property
    def idle(self) -> bool:
        """Whether nobody waits for a read point, or for one to be applied."""
        return self.question is None and not self.waiting and not self.points

    def begin(self) -> Read:
        """Begin a read of this node's own; what is returned is for this node's proposer.

        It may get lost on its way to it, like any message.
        """
        self.reads += 1
        read = Read(self.boot, self.reads)
        self.on_read(self.proposer.name, read)
        return read

    def begin_at(self, slot: int, now: float) -> int:
        """Begin a read of this node's own whose read point is known; return its number."""
        self.reads += 1
        if not self.points:
            self.recheck = now + RECHECK
        self._keep(self.reads, slot)
        return self.reads

    def on_read(self, source: str, read: Read) -> None:
        """Hear that a node wants a read point; it repeats itself until it has one."""
        ticket = Ticket(read.boot, read.number)
        if self.question is None or self.question.askers.get(source) != ticket:
            self.waiting[source] = max(ticket, self.waiting.get(source, ticket))

    def on_confirmed(self, source: str, confirmed: Confirmed, now: float) -> Effects:
        """Count towards this node's own round."""
        question = self.question
        if question is None or question.round is None:
            return ()
        if question.round.on_confirmed(source, confirmed, self.proposer.quorums):
            return self._answer(question, question.round.slot, now)
        return ()

    def on_readable(self, readable: Readable, now: float) -> Effects:
        """Take the answer to the question under way; any other is too late."""
        question = self.question
        if question is None or (readable.boot, readable.number) != (self.boot, question.number):
            return ()
        return self._answer(question, readable.slot, now)

    def advance(self, frontier: int) -> Effects:
        """Hear from this node's learner that every slot below ``frontier`` is applied."""
        self.frontier = frontier
        if not self.points:
            return ()
        last = max((n for n, slot in self.points.items() if slot <= frontier), default=None)
        if last is None:
            return ()
        self.points = {n: slot for n, slot in self.points.items() if n > last}
        return (ReadsReady(last),)

    def pursue(self, leader: str | None, now: float) -> Effects:
        """Ask what there is to ask, if it is time; ``leader`` is the next node on the way to it.

        A ballot that has ended takes its round with it; the question stays.
        """
        if self.points and now >= self.recheck:
            self.recheck = now + RECHECK
            self.on_read(self.proposer.name, Read(self.boot, max(self.points)))
        if self.question is None:
            if not self.waiting:
                return ()
            self.questions += 1
            self.question = Question(self.questions, self.waiting, now)
            self.waiting = {}
        question, leading = self.question, self.proposer.state
        if not isinstance(leading, Leading):
            question.round = None
            return self._ask(question, leader, now)
        if question.round is not None and question.round.ballot == leading.ballot:
            return question.round.ask(self.proposer.quorums) if self._due(question, now) else ()
        question.round = Confirmation.begin(leading, question.number)
        question.due = now + question.pause
        return question.round.ask(self.proposer.quorums)

    def hurry(self) -> None:
        """Forget that anything was asked: there is a new leader to ask."""
        self.recheck = float("-inf")
        if self.question is not None:
            self.question.due, self.question.pause = float("-inf"), FIRST_PAUSE
            self.question.asked = 0

    def _ask(self, question: Question, leader: str | None, now: float) -> Effects:
        if leader is None or not self._due(question, now):
            return ()
        question.asked += 1
        if question.asked > DETOUR_AFTER:
            members = self.proposer.quorums.members(self.frontier)
            others = [node for node in members if node != self.proposer.name]
            leader = others[question.asked % len(others)]
        return (Send((leader,), Read(self.boot, question.number)),)

    def _due(self, question: Question, now: float) -> bool:
        if now < question.due:
            return False
        question.due = now + question.pause
        question.pause = min(2 * question.pause, MAX_PAUSE)
        return True

    def _answer(self, question: Question, slot: int, now: float) -> Effects:
        self.question, self.recheck = None, now + RECHECK
        effects: list[Effect] = []
        for node, (boot, number) in question.askers.items():
            if node == self.proposer.name:
                self._keep(number, slot)
            else:
                self.awaited = max(self.awaited, slot)
                effects.append(Send((node,), Readable(boot, number, slot)))
        return (*effects, *self.advance(self.frontier))

    def _keep(self, number: int, slot: int) -> None:
        """Keep a read point until it is applied; of two for one read, either suffices."""
        lower = min(slot, self.points.pop(number, slot))
        if len(self.points) == MAX_POINTS:
            self.points.popitem()
        self.points[number] = lower
