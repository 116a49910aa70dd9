"""How a snapshot comes into a journal and out of it again: in pieces, and whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Final

from paxos.journal.base import Journal, JournalCorrupt
from paxos.protocol.records import Piece, Snapshotted
from paxos.replicated.snapshot import DIGEST_BYTES

READ_PIECES: Final = 8
"""How many pieces are read at once."""


def snapshot_records(position: int, pieces: Iterable[bytes]) -> Iterator[Piece | Snapshotted]:
    """Return the records that write a snapshot: its pieces, and last what makes them count."""
    digest, length = blake2b(digest_size=DIGEST_BYTES), 0
    for index, piece in enumerate(pieces):
        digest.update(piece)
        length += len(piece)
        yield Piece(position, index, piece)
    yield Snapshotted(position, length, digest.digest())


def pieces_of(journal: Journal, snapshot: Snapshotted) -> Iterator[bytes]:
    """Return the pieces of a snapshot, a few at a time; raise `JournalCorrupt` where one is wrong.

    What was wrong with the whole is found at the end.
    """
    digest, length, index = blake2b(digest_size=DIGEST_BYTES), 0, 0
    while length < snapshot.length:
        found = journal.read_pieces(snapshot.position, index, READ_PIECES)
        if not found:
            break
        for piece in found:
            if length >= snapshot.length:
                break  # left over from an attempt to fetch another snapshot of that position
            digest.update(piece)
            length += len(piece)
            yield piece
        index += len(found)
    if length != snapshot.length or digest.digest() != snapshot.digest:
        raise JournalCorrupt(
            f"the snapshot of position {snapshot.position} in the journal is not whole: "
            f"{length:,} of {snapshot.length:,} bytes, or others"
        )
