"""Decrees: what the log decides about its own state, in the place of an application's command.

A decree is proposed, batched, sent to the leader and applied at most once like any command; only
then do the ways part: a command is for the application's machine, a decree for that part of the
replicated state to which its class belongs. Decrees are frozen, and have a line in
`paxos.wire.decrees`.
"""

from __future__ import annotations

from attrs import frozen


class Decree:
    """Base of all decrees."""

    __slots__ = ()

    @property
    def size(self) -> int:
        """About how many bytes it takes on the wire: batches are cut by it."""
        return 64


class Ruling:
    """Base of what became of a decree.

    It goes to the node that proposed the decree, which applies the log like every other: no
    ruling ever travels.
    """

    __slots__ = ()


@frozen
class Carried(Ruling):
    """The decree took effect."""


@frozen
class Void(Ruling):
    """The decree changed nothing: something else was decided before it."""

    why: str


class Change:
    """Base of what decrees changed, for those who watch; the same on every node."""

    __slots__ = ()
