"""What a role must not forget. The journal keeps them; replayed in order, they restore a role."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from paxos.protocol.ballot import Ballot
from paxos.protocol.values import Value


@frozen
class Begun:
    """A proposer used this ballot: it must never begin it again (section 2.5)."""

    ballot: Ballot


@frozen
class Promised:
    """An acceptor promised to refuse everything below this ballot."""

    ballot: Ballot


@frozen
class Voted:
    """An acceptor voted; a vote is a promise of its ballot, too."""

    slot: int
    ballot: Ballot
    value: Value


@frozen
class Learned:
    """A learner knows the chosen value of a slot and of every slot below it.

    ``ballot`` is one at which the slot is known to be chosen, None where another node taught it.
    A vote of the same node at that ballot or above is for the same value (P2b), so a journal need
    not write the value twice.
    """

    slot: int
    ballot: Ballot | None
    value: Value


@frozen
class Doubted:
    """The node has found out that its journal has forgotten something: it must not vote."""

    why: str


@frozen
class Readmitted:
    """An acceptor that had forgotten something may vote again, above this ballot."""

    ballot: Ballot


@frozen
class Piece:
    """One piece of a snapshot that is being written; it means nothing before `Snapshotted`."""

    position: int
    """The snapshot's."""
    index: int
    data: bytes


@frozen
class Snapshotted:
    """Every slot below ``position`` is learned, and a snapshot's pieces tell what they came to.

    Whether this node made the snapshot or fetched it, the log below may be let go.
    """

    position: int
    length: int
    """Of all pieces, in bytes."""
    digest: bytes
    """Of all pieces; it names the snapshot among others of its position."""


Record: TypeAlias = Begun | Promised | Voted | Learned | Piece | Snapshotted | Doubted | Readmitted
