"""What one role of the explored model can do, by itself: hear a fact, or act of its own accord."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from attrs import evolve, frozen

from paxos.protocol.effects import Deliver, Effect, Effects, Persist, PersistLater, Send, Supply
from paxos.protocol.messages import Message, Teach
from paxos.protocol.proposer import Leading, Proposer
from paxos.protocol.records import Record
from paxos.protocol.values import Value
from paxos.replicated.routing import ROUTES, Role
from paxos.testing.facts import Asked, Delivered, Fact, Kept, Sent, Told
from paxos.testing.freezing import thaw


@frozen
class Budget:
    """What a proposer may do at most, in all of its lives."""

    node: str
    ballots: int = 1
    """How many ballots it may begin."""
    values: int = 1
    """How many values of its own it may propose, each of them once."""


@frozen(cache_hash=True)
class Local:
    """A role, and what is known of it outside of it."""

    role: Hashable
    """Its frozen snapshot."""
    disk: tuple[Record, ...] = ()
    log: tuple[Value, ...] = ()
    """What a learner has delivered in this life."""
    life: int = 0
    frontier: int = 0
    """How far the node's learner has come, as far as this role knows."""
    begun: int = 0
    """How many ballots a proposer has begun, in all lives."""
    asked: int = 0
    """How many values it has proposed, in all lives."""


@frozen
class Action:
    """Something that may happen to a role."""

    words: str
    call: Callable[[Any], Effects | None]
    """What is called on the thawed role."""
    local: Local
    """What is known outside of the role once it happens."""
    facts: tuple[Fact, ...] = ()
    """What becomes a fact even before the role answers."""


def concerns(node: str, kind: Role) -> Callable[[Fact], bool]:
    """Return the facts that a role may hear, by the one table of routes."""

    def heard(fact: Fact) -> bool:
        if isinstance(fact, Told):
            return fact.node == node and kind != "learner"
        return isinstance(fact, Sent) and fact.target == node and kind in ROUTES[type(fact.message)]

    return heard


def hear(node: str, kind: Role, fact: Fact, local: Local) -> Iterator[Action]:
    """Return how a role takes a fact in, unless it is of another life or old."""
    if isinstance(fact, Sent):
        source, message = fact.source, fact.message
        words = f"{node}'s {kind} hears from {source}: {tell(message)}"
        yield Action(words, lambda role: role.handle(source, message), local)
    elif isinstance(fact, Told) and fact.life == local.life and fact.frontier > local.frontier:
        frontier, after = fact.frontier, evolve(local, frontier=fact.frontier)
        words = f"{node}'s {kind} hears that all below slot {frontier} is learned"
        yield Action(words, lambda role: role.advance(frontier), after)


def learner_acts(node: str, local: Local) -> Iterator[Action]:
    """Return what a learner may do of its own accord: its alarm, if set, rings at any time."""
    yield Action(f"{node}'s learner wakes", lambda role: role.wake(), local)


def proposer_acts(budget: Budget, local: Local, slots: int) -> Iterator[Action]:
    """Return what a proposer's runner may decide, at any time.

    That it may stop is left out: until its next prepare, a proposer that was stopped does nothing
    that one which is left alone could not do as well.
    """
    node = budget.node
    if local.begun < budget.ballots:
        after = evolve(local, begun=local.begun + 1)
        yield Action(f"{node} prepares", lambda role: role.prepare(local.frontier), after)
    yield Action(f"{node} repeats itself", lambda role: role.repeat(), local)
    role: Proposer = thaw(local.role)
    if not isinstance(role.state, Leading) or role.room <= 0 or role.state.next_slot >= slots:
        return
    if local.asked < budget.values:
        value = f"{node}{local.asked}"
        after = evolve(local, asked=local.asked + 1)
        words = f"{node} proposes {value}"
        yield Action(words, lambda role: role.propose(value), after, (Asked(value),))


def carry_out(node: str, effect: Effect, local: Local) -> tuple[Local, Iterable[Fact]]:
    """Return what an effect makes of the world."""
    match effect:
        case Persist(record):
            return evolve(local, disk=(*local.disk, record)), (Kept(node, record),)
        case PersistLater(record):
            return evolve(local, disk=(*local.disk, record)), ()
        case Send(targets, message):
            return local, [Sent(node, target, message) for target in targets]
        case Supply(target, first, last):
            log = local.log
            slots = range(first, min(last + 1, len(log)))
            return local, [
                Sent(node, target, Teach(slot, log[slot], last, len(log))) for slot in slots
            ]
        case Deliver(slot, value):
            fact = Delivered(node, local.life, slot, len(local.log), value)
            return evolve(local, log=(*local.log, value)), (fact,)
    return local, ()


def tell(message: Message) -> str:
    """Return a message in one line."""
    return str(message).replace("Ballot(number=", "(").replace("node=", "")
