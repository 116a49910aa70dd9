"""The whole replicated state at one position, apart from the log that led to it."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from paxos.replicated.effects import EffectsSnapshot
from paxos.replicated.elections import ElectionsSnapshot
from paxos.replicated.sessions import SessionsSnapshot
from paxos.replicated.values import Leadership

PIECE_BYTES = 48 << 10
"""A snapshot is stored and carried in pieces of so many bytes; the last has what remains."""

DIGEST_BYTES = 16
"""The length of a digest of all pieces, which names a snapshot."""


@frozen
class Snapshot:
    """What every slot below ``position`` came to.

    `ReplicatedState.snapshot` makes it and `ReplicatedState.restore` takes it; each part of the
    replicated state has a field here, and ``paxos.wire.snapshots`` a line that encodes it.
    """

    position: int
    """The first slot that is not in it."""
    checksum: int
    """`ReplicatedState.checksum` at that position."""
    leadership: Leadership | None
    """The last that was chosen."""
    sessions: SessionsSnapshot
    elections: ElectionsSnapshot
    effects: EffectsSnapshot
    machine: Iterable[bytes]
    """The state machine's own bytes, in parts of any size; perhaps to be read only once."""
