"""How a journal file is read beside its writer, by a connection that cannot write."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from paxos.errors import LogCompacted
from paxos.journal.base import JournalError
from paxos.journal.checks import check_slot, checked_piece, checked_value
from paxos.journal.explaining import damaged, explained
from paxos.journal.tables import Row, connect
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Voted
from paxos.protocol.values import Value

_LOG = """
    SELECT slot, NULL AS number, NULL AS node, note, value, crc FROM chosen
     WHERE slot BETWEEN :first AND :last
    UNION ALL
    SELECT slot, number, node, note, value, crc FROM votes
     WHERE slot BETWEEN :first AND :last
       AND NOT EXISTS (SELECT 1 FROM chosen WHERE chosen.slot = votes.slot)
    ORDER BY slot
"""
_VOTES = """
    SELECT slot, number, node, note, value, crc FROM votes WHERE slot >= ? ORDER BY slot LIMIT ?
"""
_PIECES = """
    SELECT idx, data, crc FROM pieces WHERE position = ? AND idx >= ? ORDER BY idx LIMIT ?
"""


class JournalReader:
    """Reads what is durable; from any thread, one at a time."""

    def __init__(
        self, path: Path, decode: Callable[[bytes], Value], connection: type[sqlite3.Connection]
    ) -> None:
        self._path, self._decode = path, decode
        self.lock = threading.Lock()
        """Held while something is read."""
        self.refused = ""
        """Why nothing can be read any more; empty while it can."""
        self.db = connect(path, "ro", connection)
        try:
            # From now on it holds the file.
            self.db.execute("SELECT count(*) FROM about").fetchone()
        except BaseException:
            self.db.close()
            raise

    def read(
        self, first: int, last: int, max_bytes: int, kept: Callable[[], int]
    ) -> list[tuple[int, Value]]:
        """Return chosen values as `Journal.read` does; all these slots are learned.

        ``kept`` tells the first slot whose value is still here, which may change meanwhile.
        """
        found: list[tuple[int, Value]] = []
        with (
            self._reading(),
            closing(self.db.execute(_LOG, {"first": first, "last": last})) as rows,
        ):
            for slot in range(first, last + 1):
                row = rows.fetchone()
                held = None if row is None else row[0]
                if held != slot and slot < kept():
                    raise LogCompacted(slot, kept())
                check_slot(self._path, slot, held)
                value = self._checked(row)
                max_bytes -= len(row[4])
                if found and max_bytes < 0:
                    break
                found.append((slot, value))
        return found

    def read_pieces(self, position: int, first: int, count: int) -> list[bytes]:
        """See `Journal.read_pieces`."""
        with self._reading():
            found = self.db.execute(_PIECES, (position, first, count)).fetchall()
        return [
            checked_piece(self._path, position, index, data, crc)
            for at, (index, data, crc) in enumerate(found, first)
            if at == index
        ]

    def read_votes(self, first: int, count: int) -> list[Voted]:
        """Return so many votes in slots from ``first`` on."""
        with self._reading():
            rows = self.db.execute(_VOTES, (first, count)).fetchall()
            return [Voted(row[0], Ballot(row[1], row[2]), self._checked(row)) for row in rows]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self.lock, explained(self._path, "cannot be read"):
            if self.refused:
                raise JournalError(f"journal {self._path} cannot be read: {self.refused}")
            yield

    def _checked(self, row: Row) -> Value:
        """Return the value of a row whose checksum is right."""
        value = checked_value(self._path, *row)
        try:
            return self._decode(value)
        except ValueError as error:
            table = "chosen" if row[1] is None else "votes"
            what = f"slot {row[0]} of {table} holds no value: {error}"
            raise damaged(self._path, what) from error
