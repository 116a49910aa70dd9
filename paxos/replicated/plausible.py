"""Numbers that cannot be true: what even an authentic message may not say.

Ballots and slots are counted one by one, and their numbers are finite. One message with a number
near the end, from a member whose memory is damaged or whose program is wrong, would leave the
others no higher number to go on with, for ever, since promises are never forgotten. So a number may
be ahead of what this node knows as far as a node that was away for long could have missed, and no
further.
"""

from __future__ import annotations

from typing import Final, cast

import attrs
from attrs import AttrsInstance, frozen

from paxos.protocol.messages import Message, Promise
from paxos.replicated.events import Alarm

MAX_BALLOT_LEAP: Final = 1 << 32
"""How many ballots may have been missed: a thousand in every second for fifty days."""

MAX_SLOT_LEAP: Final = 1 << 40
"""How many slots may have been missed: a hundred thousand in every second for four months."""

MAX_VOTES_AHEAD: Final = 1 << 13
"""How many slots above its frontier an acceptor may have voted in."""

BALLOTS: Final = ("ballot", "promised", "highest")
SLOTS: Final = ("slot", "frontier", "first", "last", "target", "position")
"""The names of fields that hold ballots and slots, in every message."""


@frozen
class Implausible(Alarm):
    """A message was dropped for what it says, authentic as it is."""

    source: str
    kind: str
    number: int
    """The highest number of a ballot in it."""
    slot: int
    """The highest slot in it."""

    def __str__(self) -> str:
        """Return the alarm in words."""
        return (
            f"{self.source} speaks of ballot {self.number} and slot {self.slot} ({self.kind}), "
            "which cannot be: its memory or its program is damaged; stop it and look"
        )


def reach(message: Message) -> tuple[int, int]:
    """Return the highest number of a ballot, and the highest slot, of which a message speaks."""
    ballots, slots = _fields(type(message))
    return (
        max((getattr(message, name).number for name in ballots), default=0),
        max((getattr(message, name) for name in slots), default=0),
    )


def is_plausible(message: Message, most: int, last: int) -> bool:
    """Tell whether a message speaks of no ballot above ``most`` and of no slot above ``last``.

    A promise must besides stay within what acceptors vote on, for a proposer fills the gaps.
    """
    ballots, slots = _FIELDS.get(type(message)) or _fields(type(message))
    for name in ballots:
        if getattr(message, name).number > most:
            return False
    for name in slots:
        if getattr(message, name) > last:
            return False
    if type(message) is Promise and message.votes:
        return max(vote.slot for vote in message.votes) < message.frontier + MAX_VOTES_AHEAD
    return True


_FIELDS: Final[dict[type[Message], tuple[tuple[str, ...], tuple[str, ...]]]] = {}
"""By class of message, which of its fields hold ballots, and which slots."""


def _fields(cls: type[Message]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if cls not in _FIELDS:
        names = {field.name for field in attrs.fields(cast("type[AttrsInstance]", cls))}
        _FIELDS[cls] = (
            tuple(n for n in BALLOTS if n in names),
            tuple(n for n in SLOTS if n in names),
        )
    return _FIELDS[cls]
