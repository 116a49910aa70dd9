"""The snapshots in a journal file, and what they make superfluous.

What a snapshot replaces is not deleted with it but little by little, by the writes that follow:
nobody waits for it, and the pages that become free hold what is written next.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from paxos.journal.checks import check_beginning, checked_snapshot, piece_checksum
from paxos.journal.tables import checksum
from paxos.protocol.records import Piece, Snapshotted

DELETED_PER_RECORD: Final = 4
"""How many superfluous slots a write deletes for each record that it stores."""

DELETED_PIECES: Final = 16
"""How many superfluous pieces a write deletes."""

_LOG: Final = ("votes", "chosen")


class Compaction:
    """Snapshots and deletions, on the writing connection of a journal; inside transactions."""

    def __init__(self, db: sqlite3.Connection, path: Path, first: int) -> None:
        self._db, self._path = db, path
        rows = db.execute("SELECT position, length, digest, crc FROM snapshots ORDER BY position")
        self.snapshots = tuple(checked_snapshot(path, *row) for row in rows)
        self.first = first
        lowest = [db.execute(f"SELECT min(slot) FROM {table}").fetchone()[0] for table in _LOG]  # noqa: S608 - one of two names
        self._deleted = min([first, *(slot for slot in lowest if slot is not None)])
        """No slot below is in the file."""
        positions = db.execute("SELECT DISTINCT position FROM pieces")
        held = {snapshot.position for snapshot in self.snapshots}
        self._superfluous = {position for (position,) in positions} - held
        """Positions of pieces that belong to no snapshot any more."""
        self._drafts: set[int] = set()
        """Positions of snapshots that are under way."""

    def check(self, frontier: int) -> None:
        """See that a snapshot tells what the log does not begin with; raise `JournalCorrupt`."""
        last = self.snapshots[-1].position if self.snapshots else 0
        check_beginning(self._path, self.first, last, frontier)

    def put(self, pieces: Iterable[Piece]) -> list[int]:
        """Store pieces of a snapshot that is under way; return the rows' checksums."""
        rows = [
            (at, index, data, piece_checksum(at, index, data))
            for at, index, data in ((piece.position, piece.index, piece.data) for piece in pieces)
        ]
        if rows:
            self._drafts |= {row[0] for row in rows}
            self._superfluous -= self._drafts
            self._db.executemany("INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?)", rows)
        return [row[-1] for row in rows]

    def add(self, snapshot: Snapshotted, frontier: int) -> int:
        """Make a snapshot the newest, if it is newer; return the new frontier."""
        position, held = snapshot.position, self.snapshots
        ended = {draft for draft in self._drafts if draft <= position}
        self._drafts -= ended
        if held and position <= held[-1].position:
            self._superfluous |= ended - {one.position for one in held}
            return frontier
        self._superfluous |= ended - {position}
        row = (position, snapshot.length, snapshot.digest)
        crc = checksum(snapshot.digest, "snapshots", *row[:2])
        self._db.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?)", (*row, crc))
        before = held[-1:] if position <= frontier else ()
        for one in held[: len(held) - len(before)]:
            self._db.execute("DELETE FROM snapshots WHERE position = ?", (one.position,))
            self._superfluous.add(one.position)
        self.snapshots = (*before, snapshot)
        if position > frontier:
            self.first = position
        elif before:
            self.first = before[0].position
        return max(frontier, position)

    def delete_some(self, records: int) -> None:
        """Delete a few of the superfluous rows, in proportion to what is being written."""
        if self._deleted < self.first:
            end = min(self.first, self._deleted + 16 + DELETED_PER_RECORD * records)
            for table in _LOG:
                self._db.execute(f"DELETE FROM {table} WHERE slot < ?", (end,))  # noqa: S608 - one of two names
            self._deleted = end
        for position in list(self._superfluous)[:1]:
            deleted = self._db.execute(
                "DELETE FROM pieces WHERE rowid IN"
                " (SELECT rowid FROM pieces WHERE position = ? LIMIT ?)",
                (position, DELETED_PIECES),
            )
            if deleted.rowcount < DELETED_PIECES:
                self._superfluous.discard(position)
