"""A few nodes of nothing but roles, led step by step, and the transcript of what they say.

For those who study: a scene of ten lines shows a run of the paper, message by message::

    stage = Stage("a", "b", "c")
    stage.prepare("a")
    stage.deliver()
    stage.propose("a", "apple")
    stage.deliver()
    print(stage.transcript)
"""

from __future__ import annotations

from collections import deque

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.effects import Deliver, Effects, Persist, Send, Supply
from paxos.protocol.events import BallotLost, BallotPrepared, SlotChosen
from paxos.protocol.learner import Learner
from paxos.protocol.messages import Message, Teach
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorums import Majority
from paxos.protocol.values import Value
from paxos.replicated.routing import ROUTES, Role
from paxos.testing.words import in_words, record_in_words


class Stage:
    """Nodes with one acceptor, proposer and learner each; messages are delivered as they came."""

    def __init__(self, *names: str) -> None:
        quorums = Majority(names)
        self.names = names
        self.acceptors = {name: Acceptor() for name in names}
        self.proposers = {name: Proposer(name, quorums) for name in names}
        self.learners = {name: Learner(name, quorums) for name in names}
        self.absent: set[str] = set()
        """Nodes to which, and from which, everything is lost."""
        self._mail: deque[tuple[str, str, Message]] = deque()
        self._logs: dict[str, list[Value]] = {name: [] for name in names}
        self._lines: list[str] = []

    @property
    def transcript(self) -> str:
        """What was said and done, a line each."""
        return "".join(f"{line}\n" for line in self._lines)

    def say(self, text: str) -> None:
        """Put a remark into the transcript."""
        self._lines += ["", f"# {text}"]

    def prepare(self, name: str) -> None:
        """Let a node begin a ballot for every slot that it has not learned."""
        self._carry_out(name, self.proposers[name].prepare(self.learners[name].frontier))

    def propose(self, name: str, value: Value) -> None:
        """Let a leader propose a value in the next slot."""
        self._carry_out(name, self.proposers[name].propose(value))

    def ask(self, name: str, teacher: str) -> None:
        """Let a node hear how far another has learned, and ask for the rest."""
        frontier = self.learners[teacher].frontier
        self._carry_out(name, self.learners[name].hear_frontier(teacher, frontier))
        self._carry_out(name, self.learners[name].wake())

    def deliver(self, most: int = 1000, *, lose: type[Message] | None = None) -> None:
        """Deliver the oldest messages until none is left; lose those of one kind."""
        for _ in range(most):
            if not self._mail:
                return
            source, target, message = self._mail.popleft()
            words = f"{source} > {target}  {in_words(message)}"
            if {source, target} & self.absent or isinstance(message, lose or ()):
                self._lines.append(f"{words}  (lost)")
                continue
            self._lines.append(words)
            self._take(source, target, message)

    def _take(self, source: str, target: str, message: Message) -> None:
        roles: dict[Role, Acceptor | Proposer | Learner] = {
            "acceptor": self.acceptors[target],
            "proposer": self.proposers[target],
            "learner": self.learners[target],
        }
        for role in ROUTES[type(message)]:
            self._carry_out(target, roles[role].handle(source, message))

    def _carry_out(self, name: str, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Persist(record):
                    self._lines.append(f"{name}      persists {record_in_words(record)}")
                case Send(targets, message):
                    self._mail += ((name, target, message) for target in targets)
                case Deliver(slot, value):
                    self._lines.append(f"{name}      learns slot {slot}: {value}")
                    self._logs[name].append(value)
                    self.acceptors[name].advance(slot + 1)
                    self._carry_out(name, self.proposers[name].advance(slot + 1))
                case Supply(target, first, last):
                    for slot in range(first, last + 1):
                        teach = Teach(slot, self._logs[name][slot], last, len(self._logs[name]))
                        self._mail.append((name, target, teach))
                case BallotPrepared(ballot):
                    self._lines.append(f"{name}      leads at {ballot}")
                case BallotLost(ballot):
                    self._lines.append(f"{name}      gives {ballot} up")
                case SlotChosen(slot, ballot):
                    self._lines.append(f"{name}      sees slot {slot} chosen at {ballot}")
