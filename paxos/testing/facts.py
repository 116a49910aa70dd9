"""What has happened, as a set that only grows: one bit for each fact.

A message that was sent once may arrive at any later time, any number of times, or never. So the
network of the explored model is nothing but the set of all messages ever sent: one exploration of
it covers every loss, duplication, delay and reordering at once. What was persisted, delivered or
asked for is part of the same set, for the properties to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from attrs import Factory, define, frozen

from paxos.protocol.messages import Message
from paxos.protocol.records import Record
from paxos.protocol.values import Value


@frozen
class Sent:
    """A message is under way, from now on for ever."""

    source: str
    target: str
    message: Message


@frozen
class Told:
    """In this life, the node's learner has told its other roles how far it has come."""

    node: str
    life: int
    frontier: int


@frozen
class Kept:
    """A record is durable."""

    node: str
    record: Record


@frozen
class Asked:
    """Somebody asked for this value to be chosen."""

    value: Value


@frozen
class Delivered:
    """A learner handed a slot over, in this life of its node, as the ``position``-th one."""

    node: str
    life: int
    slot: int
    position: int
    value: Value


@frozen
class Restarted:
    """A node began another life, with so many records of its acceptor."""

    node: str
    life: int
    records: int


Fact: TypeAlias = Sent | Told | Kept | Asked | Delivered | Restarted


@define(eq=False)
class Scope:
    """A kind of facts, as a mask of their bits; it grows as facts are seen for the first time."""

    belongs: Callable[[Fact], bool]
    mask: int = 0


@define
class Facts:
    """Numbers facts as they are first seen; a set of facts is then an integer."""

    known: list[Fact] = Factory(list)
    numbers: dict[Fact, int] = Factory(dict)
    scopes: list[Scope] = Factory(list)

    def scope(self, belongs: Callable[[Fact], bool]) -> Scope:
        """Return the facts, known now or later, that belong to a kind."""
        scope = Scope(belongs)
        self.scopes.append(scope)
        scope.mask = sum(1 << i for i, fact in enumerate(self.known) if belongs(fact))
        return scope

    def bit(self, fact: Fact) -> int:
        """Return the set that holds this fact alone."""
        number = self.numbers.get(fact)
        if number is None:
            number = self.numbers[fact] = len(self.known)
            self.known.append(fact)
            for scope in self.scopes:
                if scope.belongs(fact):
                    scope.mask |= 1 << number
        return 1 << number

    def mask(self, facts: Iterable[Fact]) -> int:
        """Return a set of facts."""
        mask = 0
        for fact in facts:
            mask |= self.bit(fact)
        return mask

    def of(self, mask: int) -> Iterator[Fact]:
        """Return the facts in a set, those first that were seen first."""
        while mask:
            low = mask & -mask
            yield self.known[low.bit_length() - 1]
            mask ^= low
