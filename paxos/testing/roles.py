"""A cluster of nothing but the three roles, and a bag of messages between them.

A step is one thing that can happen in an asynchronous network: a message is delivered, lost or
delivered twice, in any order; a proposer begins a ballot; a node crashes, between any two effects,
and comes back with what it had persisted. What happens depends on the seed alone. After every
effect the cluster's invariants are asserted; `RoleCluster.settle` then ends all faults and asks
for progress.
"""

from __future__ import annotations

from random import Random

from attrs import Factory, define, field

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Deliver, Effects, Persist, PersistLater, Send, Supply, Wake
from paxos.protocol.learner import Learner
from paxos.protocol.messages import Accept, Message, Promise, Teach
from paxos.protocol.proposer import Idle, Proposer
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Record, Voted
from paxos.protocol.values import NOOP, Value
from paxos.replicated.routing import ROUTES


@define
class Seat:
    """One node: its roles and what outlives them."""

    acceptor: Acceptor
    proposer: Proposer
    learner: Learner
    disk: list[Record] = Factory(list)
    """What is durable, in order."""
    cache: list[Record] = Factory(list)
    """What a crash may lose: `PersistLater` that no `Persist` has taken along."""
    log: list[Value] = Factory(list)
    """What was delivered in this life."""
    alarm: bool = False


class Crash(Exception):  # noqa: N818 - it happens to a node; nothing is wrong with the program
    """The node stops between two effects."""


@define
class RoleCluster:
    """Nodes named ``a``, ``b``, ... whose messages wait in a bag until a step takes one.

    ``proposers`` is how many of the nodes begin ballots of their own accord, ``slots`` in how
    many slots they propose, ``crash`` the probability of a crash before an effect.

    Raises:
        AssertionError: An invariant does not hold; the seed replays the run.

    """

    nodes: int = 3
    proposers: int = 2
    slots: int = 1
    seed: int = 0
    crash: float = 0.002
    random: Random = field(init=False)
    names: tuple[str, ...] = field(init=False)
    seats: dict[str, Seat] = field(init=False)
    bag: list[tuple[str, str, Message]] = Factory(list)
    proposals: dict[tuple[int, Ballot], Value] = Factory(dict)
    votes: dict[tuple[int, Ballot], set[str]] = Factory(dict)
    """Who ever voted durably for what; no role sees it."""
    chosen: dict[int, Value] = Factory(dict)
    crashes: int = 0

    def __attrs_post_init__(self) -> None:
        """Start every node."""
        self.random = Random(self.seed)  # noqa: S311 - reproducible on purpose
        self.names = tuple("abcdefghi"[: self.nodes])
        self.seats = {name: self._start(name, []) for name in self.names}

    def step(self) -> None:
        """Let one thing happen."""
        name = self.random.choice(self.names)
        try:
            match self.random.random():
                case dice if dice < 0.75 and self.bag:
                    self._deliver_any()
                case dice if dice < 0.95:
                    self._act(name, prepare=0.2)
                case _:
                    self._wake(name)
        except Crash:
            self.crashes += 1

    def settle(self, rounds: int = 200) -> None:
        """End all faults, let one proposer repeat, and assert that every node learns the same."""
        self.crash = 0.0
        leader = self.names[self.seed % self.proposers]
        for number in range(rounds):
            while self.bag:
                self._take(*self.bag.pop(0))
            frontiers = {seat.learner.frontier for seat in self.seats.values()}
            if len(frontiers) == 1 and frontiers.pop() >= self.slots:
                return
            self._act(leader, prepare=1.0)
            for name in self.names:
                self._wake(name)
                if number % 10 == 9:  # a heartbeat: who has learned all tells the others
                    for other, seat in self.seats.items():
                        heard = self.seats[name].learner.hear_frontier(other, seat.learner.frontier)
                        self._carry_out(name, heard)
        raise AssertionError(f"no progress in {rounds} rounds: {self.seats}")

    def _deliver_any(self) -> None:
        index = self.random.randrange(len(self.bag))
        message = self.bag[index]
        dice = self.random.random()
        if dice > 0.1 or len(self.bag) > 400:
            self.bag[index] = self.bag[-1]
            self.bag.pop()
        if dice < 0.9:
            self._take(*message)

    def _take(self, source: str, target: str, message: Message) -> None:
        seat = self.seats[target]
        for role in ROUTES[type(message)]:
            handler: Acceptor | Proposer | Learner = getattr(seat, role)
            self._carry_out(target, handler.handle(source, message))

    def _act(self, name: str, prepare: float) -> None:
        """Do what the runner of a proposer decides: repeat, propose or begin a ballot."""
        seat = self.seats[name]
        proposer = seat.proposer
        if not isinstance(proposer.state, Idle) and self.random.random() < 0.95:
            self._carry_out(name, proposer.repeat())
            while proposer.room > 0 and self._next_slot(proposer) < self.slots:
                self._carry_out(name, proposer.propose(f"{name}{self.random.randrange(10**6)}"))
        elif self.names.index(name) < self.proposers and self.random.random() < prepare:
            self._carry_out(name, proposer.prepare(seat.learner.frontier))

    def _next_slot(self, proposer: Proposer) -> int:
        return getattr(proposer.state, "next_slot", self.slots)

    def _wake(self, name: str) -> None:
        seat = self.seats[name]
        if seat.alarm:
            seat.alarm = False
            self._carry_out(name, seat.learner.wake())

    def _carry_out(self, name: str, effects: Effects) -> None:
        """Carry the effects out from left to right, unless the node crashes on the way."""
        seat = self.seats[name]
        for effect in effects:
            if self.random.random() < self.crash:
                survivors = seat.cache[: self.random.randint(0, len(seat.cache))]
                self.seats[name] = self._start(name, seat.disk + survivors)
                raise Crash
            match effect:
                case Persist(record):
                    seat.disk += [*seat.cache, record]
                    seat.cache.clear()
                    self._note_vote(name, record)
                case PersistLater(record):
                    seat.cache.append(record)
                case Send(targets, message):
                    self._note_proposal(message)
                    self.bag += ((name, target, message) for target in targets)
                case Supply(target, first, last):
                    teach = [Teach(s, seat.log[s], last, len(seat.log)) for s in range(first, last + 1)]
                    self.bag += ((name, target, message) for message in teach)
                case Wake():
                    seat.alarm = True
                case Deliver(slot, value):
                    self._note_delivery(seat, slot, value)
        if seat.acceptor.frontier < seat.learner.frontier:
            seat.acceptor.advance(seat.learner.frontier)
            self._carry_out(name, seat.proposer.advance(seat.learner.frontier))
