"""What is said and done about snapshots, between nodes and within one.

================= ======================== ================================================
message           from -> to               meaning
================= ======================== ================================================
`SnapshotOffered` teacher -> laggard       those slots are gone here; this has what they did
`FetchPieces`     laggard -> teacher       send me these pieces of it
`SnapshotPiece`   teacher -> laggard       here is one
`SnapshotWanted`  node -> own learner      take a snapshot now
`SnapshotSaved`   runner -> own learner    the snapshot that you took is in the journal
`SnapshotLoaded`  runner -> own learner    the snapshot that you fetched is whole
================= ======================== ================================================
"""

from __future__ import annotations

from attrs import frozen

from paxos.protocol.effects import Effect
from paxos.protocol.messages import Message
from paxos.protocol.records import Snapshotted
from paxos.replicated.messages import OwnMessage
from paxos.replicated.snapshot import Snapshot


@frozen
class SnapshotOffered(Message):
    """Answers `Learn` where the log no longer goes back so far."""

    position: int
    length: int
    digest: bytes


@frozen
class FetchPieces(Message):
    """Asks for pieces of a snapshot that was offered."""

    position: int
    digest: bytes
    indices: tuple[int, ...]


@frozen
class SnapshotPiece(Message):
    """One piece, answering `FetchPieces`."""

    digest: bytes
    """Of the whole snapshot."""
    index: int
    data: bytes


@frozen
class SnapshotWanted(OwnMessage):
    """Somebody asks for a snapshot before its time."""


@frozen
class SnapshotSaved(OwnMessage):
    """A snapshot is on the disk, whole."""

    snapshot: Snapshotted


@frozen
class SnapshotLoaded(OwnMessage):
    """A snapshot that was fetched can be taken over."""

    fetched: Snapshotted
    snapshot: Snapshot | None
    """None where the pieces turned out to be wrong."""


@frozen
class SaveSnapshot(Effect):
    """Write a snapshot beside everything else, and say `SnapshotSaved`.

    Everything that the learner learned before is written first.
    """

    snapshot: Snapshot


@frozen
class LoadSnapshot(Effect):
    """Look whether the pieces that were written are whole, and say `SnapshotLoaded`."""

    fetched: Snapshotted


@frozen
class SupplyPieces(Effect):
    """Send the target these pieces; or, if the snapshot is gone, the offer of a newer one."""

    target: str
    request: FetchPieces


@frozen
class Installed(Effect):
    """The state of this node is now that of a snapshot; slots in between never took effect here."""

    position: int
