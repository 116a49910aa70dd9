"""A cluster of nothing but the three roles, and a bag of messages between them.

A step is one thing that can happen in an asynchronous network: a message is delivered, lost or
delivered twice, in any order; some nodes are cut off from the others for a while; a proposer begins
a ballot, proposes or repeats itself; a node crashes between two effects and comes back with what it
had persisted. What happens depends on the
seed alone, and `Invariants` are asserted at every effect.
"""

from __future__ import annotations

from random import Random

from attrs import Factory, define, field

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.effects import Deliver, Effects, Persist, PersistLater, Send, Supply, Wake
from paxos.protocol.learner import Learner
from paxos.protocol.messages import Message, Teach
from paxos.protocol.proposer import Idle, Leading, Proposer
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Record
from paxos.protocol.values import Value
from paxos.replicated.routing import ROUTES
from paxos.testing.invariants import Invariants


class Crash(Exception):  # noqa: N818 - it happens to a node; nothing is wrong with the program
    """A node stops between two effects."""


@define
class Seat:
    """One node: its roles, and what outlives them."""

    acceptor: Acceptor
    proposer: Proposer
    learner: Learner
    disk: list[Record]
    """What is durable, in order."""
    cache: list[Record] = Factory(list)
    """What a crash may lose: every `PersistLater` since the last `Persist`."""
    log: list[Value] = Factory(list)
    """What was delivered in this life."""
    alarm: bool = False


@define
class RoleCluster:
    """``nodes`` nodes named ``a``, ``b``, ..., the first ``proposers`` of which begin ballots.

    They propose in the first ``slots`` slots. ``crash`` is the probability that a node crashes
    before an effect.

    Raises:
        AssertionError: From every method, if an invariant does not hold.

    """

    seed: int
    nodes: int = 3
    proposers: int = 2
    slots: int = 1
    window: int = 4
    crash: float = 0.003
    crashes: int = 0
    random: Random = field(init=False)
    invariants: Invariants = field(init=False)
    seats: dict[str, Seat] = field(init=False)
    bag: list[tuple[str, str, Message]] = Factory(list)
    """Source, target and message of all that is under way."""
    apart: set[str] = Factory(set)
    """The nodes that are cut off from all others at the moment, but not from one another."""

    def __attrs_post_init__(self) -> None:
        """Start every node."""
        self.random = Random(self.seed)  # noqa: S311 - reproducible on purpose
        names = tuple("abcdefghi"[: self.nodes])
        self.invariants = Invariants(Majority(names))
        self.seats = {}
        for name in names:
            self._start(name, [])

    def step(self) -> None:
        """Let one thing happen."""
        dice, name = self.random.random(), self.random.choice(list(self.seats))
        try:
            if self.bag and dice < 0.8:
                self._deliver_any()
            elif dice < 0.9:
                self._propose(name, prepare=self.random.random() < 0.3)
            elif dice < 0.92:
                self._wake(name)
            else:
                self.apart = {node for node in self.seats if self.random.random() < 0.4}
        except Crash:
            self.crashes += 1

    def settle(self, rounds: int = 30) -> None:
        """End all faults and let one node propose; every node must learn every slot.

        In a round every message arrives, the proposer repeats itself, alarms ring, and as by a
        heartbeat every node hears how far the others are.
        """
        self.crash = 0.0
        leader = list(self.seats)[self.seed % self.proposers]
        for _ in range(rounds):
            idle = isinstance(self.seats[leader].proposer.state, Idle)
            self._propose(leader, prepare=idle)
            for name, seat in self.seats.items():
                self._wake(name)
                for other in self.seats.values():
                    heard = other.learner.hear_frontier(name, seat.learner.frontier)
                    self._carry_out(other.learner.name, heard)
            while self.bag:
                self._take(*self.bag.pop(0))
            if all(seat.learner.frontier >= self.slots for seat in self.seats.values()):
                return
        raise AssertionError(f"no progress in {rounds} rounds: {self.seats}")

    def _deliver_any(self) -> None:
        """Deliver a message, lose it (one in ten, or cut) or deliver it and keep it."""
        index, dice = self.random.randrange(len(self.bag)), self.random.random()
        message = self.bag[index]
        if dice < 0.9 or len(self.bag) > 300:
            self.bag[index] = self.bag[-1]
            self.bag.pop()
        source, target, _ = message
        if dice >= 0.1 and (source == target or (source in self.apart) == (target in self.apart)):
            self._take(*message)

    def _take(self, source: str, target: str, message: Message) -> None:
        for role in ROUTES[type(message)]:
            self._carry_out(target, getattr(self.seats[target], role).handle(source, message))

    def _propose(self, name: str, *, prepare: bool) -> None:
        """Do what a proposer's runner decides: begin a ballot, or repeat and propose."""
        proposer, learner = self.seats[name].proposer, self.seats[name].learner
        if prepare and list(self.seats).index(name) < self.proposers:
            self._carry_out(name, proposer.prepare(learner.frontier))
            return
        self._carry_out(name, proposer.repeat())
        while isinstance(proposer.state, Leading) and proposer.room > 0:
            if proposer.state.next_slot >= self.slots:
                return
            self._carry_out(name, proposer.propose(f"{name}{self.random.randrange(10**6)}"))

    def _wake(self, name: str) -> None:
        seat = self.seats[name]
        if seat.alarm:
            seat.alarm = False
            self._carry_out(name, seat.learner.wake())

    def _start(self, name: str, disk: list[Record]) -> None:
        """Begin a life of a node: every role hears every record, in order."""
        quorums = self.invariants.quorums
        acceptor, learner = Acceptor(), Learner(name, quorums)
        proposer = Proposer(name, quorums, window=self.window)
        seat = self.seats[name] = Seat(acceptor, proposer, learner, disk)
        for record in disk:
            acceptor.recall(record)
            proposer.recall(record)
            for effect in learner.recall(record):
                if isinstance(effect, Deliver):
                    self.invariants.delivered(name, effect.slot, effect.value, seat.log)
                    seat.log.append(effect.value)
        self.invariants.remembers(name, acceptor)

    def _carry_out(self, name: str, effects: Effects) -> None:
        """Carry the effects out from left to right, unless the node crashes on the way."""
        seat = self.seats[name]
        for effect in effects:
            if self.random.random() < self.crash:
                lucky = self.random.randint(0, len(seat.cache))
                self._start(name, seat.disk + seat.cache[:lucky])
                raise Crash
            match effect:
                case Persist(record):
                    seat.disk += [*seat.cache, record]
                    seat.cache.clear()
                    self.invariants.persisted(name, record)
                case PersistLater(record):
                    seat.cache.append(record)
                case Send(targets, message):
                    self.invariants.sent(name, message)
                    self.bag += ((name, target, message) for target in targets)
                case Supply(target, first, last):
                    for slot in range(first, last + 1):
                        teach = Teach(slot, seat.log[slot], last, len(seat.log))
                        self.bag.append((name, target, teach))
                case Deliver(slot, value):
                    self.invariants.delivered(name, slot, value, seat.log)
                    seat.log.append(value)
                case Wake():
                    seat.alarm = True
        self._advance(name)

    def _advance(self, name: str) -> None:
        """Tell a node's other roles how far its learner has come."""
        seat = self.seats[name]
        if seat.acceptor.frontier < seat.learner.frontier:
            seat.acceptor.advance(seat.learner.frontier)
            self._carry_out(name, seat.proposer.advance(seat.learner.frontier))
        self.invariants.remembers(name, seat.acceptor)
