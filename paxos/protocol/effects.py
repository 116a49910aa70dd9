"""What a role asks of the world. Order in the tuple is order in the world.

A role never does anything: its handler returns a tuple of effects, and whoever runs it (the Trio
node, the simulator, a test, a reader) carries them out from left to right. A `Persist` must be on
stable storage before any effect to its right is carried out; that is the whole durability rule.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from paxos.protocol.messages import Message
from paxos.protocol.records import Record
from paxos.protocol.values import Value


class Effect:
    """Base of everything that a role can ask for."""

    __slots__ = ()


Effects: TypeAlias = tuple[Effect, ...]


@frozen
class Persist(Effect):
    """Write the record and sync, before anything to the right happens."""

    record: Record


@frozen
class PersistLater(Effect):
    """Write the record when convenient: losing it costs time, never safety."""

    record: Record


@frozen
class Send(Effect):
    """Send one message to each target (a node's name; it may be the sender's own)."""

    targets: tuple[str, ...]
    message: Message


@frozen
class Wake(Effect):
    """Call the role's ``wake`` once, between ``earliest`` and ``latest`` seconds from now.

    It replaces the role's earlier `Wake`: a role has one alarm.
    """

    earliest: float
    latest: float


@frozen
class Deliver(Effect):
    """The next slot of the log, in order, without gaps."""

    slot: int
    value: Value


@frozen
class Supply(Effect):
    """Send the target a `Teach` for each of these slots, which this node has learned.

    They come from the learner's memory or from the journal, as many as a few datagrams hold.
    """

    target: str
    first: int
    last: int
