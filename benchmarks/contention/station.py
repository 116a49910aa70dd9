"""One node under contention: the real roles, run on whatever clock and network it is given.

A message costs a node no time here; what is measured is the protocol.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Set as AbstractSet
from typing import Final

from benchmarks.contention.duelist import VALUE, Contender, Duelist
from benchmarks.contention.policies import POLICIES, RANKED
from benchmarks.nothing import Nothing
from paxos.node.cluster import Timing
from paxos.protocol.effects import Effects, Send, Wake
from paxos.protocol.events import Event
from paxos.protocol.messages import Message
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorums import Majority, Quorums
from paxos.replicated.log_proposer import LogProposer
from paxos.replicated.messages import Adopted
from paxos.replicated.roles import Roles
from paxos.replicated.routing import ROUTES, Role
from paxos.replicated.state import Applied
from paxos.replicated.values import Command, Session


class Voters:
    """Every node is told everything, and only some vote.

    More proposers than acceptors can meet in a cluster: a node without a vote proposes, too.
    """

    def __init__(self, nodes: tuple[str, ...], voters: int) -> None:
        self._nodes = nodes
        self._voters = Majority(nodes[:voters])

    def members(self, slot: int) -> tuple[str, ...]:
        """Return all nodes, in the order of rank."""
        return self._nodes

    def is_prepare_quorum(self, slot: int, nodes: AbstractSet[str]) -> bool:
        """Count the voters."""
        return self._voters.is_prepare_quorum(slot, nodes)

    def is_accept_quorum(self, slot: int, nodes: AbstractSet[str]) -> bool:
        """Count the voters."""
        return self._voters.is_accept_quorum(slot, nodes)


class Surroundings:
    """What a node asks of the world it runs in."""

    def now(self) -> float:
        """Return the time in seconds."""
        raise NotImplementedError

    def send(self, source: str, target: str, message: Message) -> None:
        """Put a message on its way."""
        raise NotImplementedError

    def wake(self, station: Station, role: Role, earliest: float, latest: float) -> None:
        """Set the alarm of a role."""
        raise NotImplementedError

    def happened(self, station: Station, event: Event | Applied) -> None:
        """Hear what a role reports, or what took effect."""
        raise NotImplementedError


class Station:
    """One node.

    Args:
        name: Its name.
        quorums: Who votes.
        votes: Whether this node does.
        proposes: Whether it wants anything; else it answers only.
        policy: One of `paxos`' contenders by name.
        slots: In how many slots it wants its own values.
        around: Where it runs.

    """

    def __init__(
        self,
        name: str,
        quorums: Quorums,
        *,
        votes: bool,
        proposes: bool,
        policy: str,
        slots: int,
        around: Surroundings,
    ) -> None:
        self.name = name
        self.votes = votes
        self._proposes = proposes
        self._around = around
        session = Session(name, 0)
        self.roles = Roles.begin(session, quorums, Timing(), Nothing(), ())
        self.roles.admission.admitted = True  # no journal is in question here
        self.proposer: Contender = self.roles.proposer
        if policy != RANKED:
            self.proposer = Duelist(Proposer(name, quorums), POLICIES[policy](), slots)
        self._local: deque[tuple[Role, str, Message | None]] = deque()
        self._number = 0

    def start(self) -> None:
        """Begin to take part, if it proposes at all."""
        if self._proposes:
            self._carry_out("proposer", self.proposer.start())
            self._turn()

    def want(self) -> None:
        """Have the product's proposer propose a command of this node, wherever the leader is."""
        command = Command(Session(self.name, 0), self._number, VALUE)
        self._number += 1
        assert isinstance(self.proposer, LogProposer)
        if self.proposer.adopt(command):
            self._local.append(("proposer", self.name, Adopted()))

    def receive(self, source: str, message: Message) -> None:
        """Take a message from another node, and do all that follows from it here."""
        self._post(source, message)
        self._turn()

    def ring(self, role: Role) -> None:
        """Let the alarm of a role ring."""
        self._local.append((role, "", None))
        self._turn()

    def _turn(self) -> None:
        while self._local:
            while self._local:
                role, source, message = self._local.popleft()
                self._carry_out(role, self._handle(role, source, message))
            self._carry_out("learner", self.roles.learner.flush())
            progress = self.roles.learner.progress()
            if progress is not None:
                self.roles.acceptor.advance(progress.frontier)
                self._carry_out("proposer", self.proposer.advance(progress, self._around.now()))
            self._carry_out("proposer", self.proposer.flush(self._around.now()))

    def _handle(self, role: Role, source: str, message: Message | None) -> Effects:
        now = self._around.now()
        if role == "proposer":
            if message is None:
                return self.proposer.wake(now)
            return self.proposer.handle(source, message, now)
        if role == "learner":
            learner = self.roles.learner
            if message is None:
                return learner.wake(now)
            return learner.handle(source, message, now)
        if message is None or not self.votes:
            return ()
        return self.roles.acceptor.handle(source, message)

    def _carry_out(self, role: Role, effects: Effects) -> None:
        for effect in effects:
            match effect:
                case Send(targets, message):
                    for target in targets:
                        if target == self.name:
                            self._post(self.name, message)
                        else:
                            self._around.send(self.name, target, message)
                case Wake(earliest, latest):
                    self._around.wake(self, role, earliest, latest)
                case Event() | Applied():
                    self._around.happened(self, effect)

    def _post(self, source: str, message: Message) -> None:
        self._local.extend((role, source, message) for role in ROUTES.get(type(message), ()))


NAME_WIDTH: Final = 2


def names(count: int) -> tuple[str, ...]:
    """Return names of so many nodes, in the order of rank."""
    return tuple(f"node{number:0{NAME_WIDTH}}" for number in range(1, count + 1))
