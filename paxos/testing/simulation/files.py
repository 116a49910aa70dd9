"""A journal in real SQLite files, in memory, and all that can happen to files on a disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from paxos.journal import Journal, JournalError, SqliteJournal
from paxos.journal.witness import Witness
from paxos.protocol.records import Record
from paxos.testing.simulation.media import Medium, all_of
from paxos.testing.simulation.sqlite_files import (
    LOG_HEADER_BYTES,
    blank_from,
    copy_files,
    draw_place,
    end_of,
    log_of,
    remove_files,
    size_of,
    witness_of,
)
from paxos.wire import decode_value, encode_value


class _Connection(sqlite3.Connection):
    """A connection to SQLite that its medium may let fail."""

    medium: ClassVar[SqliteMedium]

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        medium = self.medium
        if sql.startswith("BEGIN"):
            medium.writer = self
        if sql == "COMMIT" and medium.last:
            medium.note_commit()
        if medium.trouble:
            medium.statements -= 1
            if sql == "COMMIT" and medium.random.random() < 0.7:
                super().execute(sql)
                medium.fail_to_sync()
            if medium.statements <= 0 or sql == "COMMIT":
                raise sqlite3.OperationalError(medium.trouble)
        return super().execute(sql, *parameters)


class _PagedJournal(SqliteJournal):
    """A journal whose pages are small, so that there are many."""

    page_bytes = 1000
    page_votes = 3


class _Witness(Witness):
    """A witness whose medium hears what is sure to outlast a power cut."""

    medium: ClassVar[SqliteMedium]

    def sync(self) -> None:
        super().sync()
        self.medium.witness_synced()


class SqliteMedium(Medium):
    """Holds the files of an `SqliteJournal`, in a folder that should be memory.

    A crash leaves the files as they are at that moment: the journal's connections are still open
    when they are copied, and the next life finds a database that nobody closed.

    When a sync fails, the pages that it was for may be on the disk all the same; or be gone; or be
    in the kernel's memory alone, which calls them clean and never writes them again: then every
    life reads them until the power is cut, unless one of them writes what they say anew.
    """

    tears = True

    def __init__(
        self,
        name: str,
        random: Random,
        folder: Callable[[], Path],
        wall_clock: Callable[[], float],
    ) -> None:
        self.random = random
        self.writer: sqlite3.Connection
        self.trouble = ""
        """What the next transaction ends with; empty when it succeeds."""
        self.statements = 0
        """Before which of its statements."""
        self.last = False
        """Whether it is the last of this life, in whichever way that ends."""
        self.cached = False
        """Whether the last write failed, and is in the kernel's memory alone."""
        self.committed = False
        """Whether it was durable all the same."""
        self._logged = 0, b""
        """How long the log was before the last commit, and how it began."""
        self._seen = b""
        """What the witness had seen before it."""
        self._unsynced: tuple[int, bytes] | None = None
        """From where on the log is in the kernel's memory alone, and how that log begins."""
        self._name, self._folder, self._wall_clock = name, folder, wall_clock
        self._generation = 0
        self._copy: Path | None = None
        self._journal: SqliteJournal | None = None
        self._witness = b""
        """What the witness saw when it was last synced: all that is sure to outlast a power cut."""
        self._connection = type("_OwnConnection", (_Connection,), {"medium": self})
        witness = type("_OwnWitness", (_Witness,), {"medium": self})
        self._journal_type = type("_OwnJournal", (_PagedJournal,), {"witness_type": witness})

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self._folder() / f"{self._name}.{self._generation}"

    def open(self) -> Journal:
        """See `Medium`."""
        self.trouble, self.last, self.cached = "", False, False
        self._journal = self._open(self.path, self._journal_type, self._connection)
        if self._unsynced is not None and self._unsynced[1] != self._begins():
            self._unsynced = None  # what the log said was written to the database, and synced
        return self._journal

    def witness_synced(self) -> None:
        """Hear that the witness is on the disk, too."""
        self._witness = witness_of(self.path).read_bytes()

    def _let_it_be_the_last(self) -> None:
        """Expect that the next transaction ends this life: it shall be in the log alone."""
        self.last = True
        self.writer.execute("PRAGMA wal_autocheckpoint = 0")

    def note_commit(self) -> None:
        """Hear that the last transaction of a life is about to be committed."""
        self._logged = end_of(log_of(self.path)), self._begins()
        self._seen = witness_of(self.path).read_bytes()

    def fail_to_sync(self) -> None:
        """Decide what becomes of a transaction that is written and whose sync has failed."""
        fate = self.random.choice(("durable", "in memory", "in memory", "gone"))
        start, begins = self._logged
        if begins != self._begins():
            fate = "durable"  # the log was started afresh: all that it had is in the database
        self.committed, self.cached = fate == "durable", fate == "in memory"
        if fate == "in memory":
            self._unsynced = self._logged
        elif fate == "gone":
            blank_from(log_of(self.path), start)

    @property
    def keeps_cached(self) -> bool:  # type: ignore[override]
        """Whether what is in the kernel's memory alone is there for the next life."""
        return self._unsynced is not None

    def _begins(self) -> bytes:
        """Return the beginning of the log, which differs whenever SQLite starts it afresh."""
        log = log_of(self.path)
        return log.read_bytes()[:LOG_HEADER_BYTES] if log.exists() else b""

    def _open(
        self, path: Path, kind: type[SqliteJournal], connection: type[sqlite3.Connection]
    ) -> SqliteJournal:
        return kind(
            path,
            cluster="simulated",
            node=self._name,
            encode=encode_value,
            decode=decode_value,
            connection=connection,
            wall_clock=self._wall_clock,
            random_bits=self.random.getrandbits,
        )

    def next_life(self) -> list[Record]:
        """See `Medium`; the next life would open a copy of the files as they are."""
        path = self._folder() / f"{self._name}.audit"
        copy_files(self.path, path)
        shutil.copyfile(witness_of(self.path), witness_of(path))
        journal = self._open(path, _PagedJournal, sqlite3.Connection)
        try:
            return all_of(journal)
        finally:
            journal.close()
            remove_files(path)

    def write(self, records: Sequence[Record], trouble: str) -> tuple[bool, JournalError | None]:
        """See `Medium`. It fails before one of the first statements, or at the commit."""
        assert self._journal is not None
        if trouble:
            self._let_it_be_the_last()
        self.trouble, self.statements = trouble, self.random.randint(1, 20)
        self.committed = self.cached = False
        try:
            self._journal.write(records)
        except JournalError as error:
            return self.committed, error
        finally:
            self.trouble = ""
        return True, None

    def crash(self) -> None:
        """See `Medium`; sometimes it ends in an orderly way."""
        self.witnessed = True
        if self._journal is not None and self.random.random() < 0.8:
            self._leave(witness_of(self.path).read_bytes())
        self.close()

    def crash_in_write(self, records: Sequence[Record]) -> bool:
        """See `Medium`; of the frames that were written, the last is not whole.

        The witness has seen what the journal lets it see before they are.
        """
        assert self._journal is not None
        self._let_it_be_the_last()
        before = end_of(log_of(self.path))
        durable, _ = self.write(records, "")
        after = end_of(log_of(self.path))
        torn = after > before
        self._leave(self._seen)
        if torn and size_of(log_of(self.path)) > before:
            os.truncate(log_of(self.path), self.random.randint(before, after - 1))
        self.close()
        return durable and not torn

    def _leave(self, witness: bytes) -> None:
        """Copy the files as a kill leaves them, or a power cut: without what was not synced."""
        synced = self.writer.execute("PRAGMA synchronous").fetchone()[0] >= 2
        before = self.path
        self._generation += 1
        copy_files(before, self.path, log=synced)
        self.witnessed = self.random.random() < 0.7
        witness_of(self.path).write_bytes(witness if self.witnessed else self._witness)
        if self._unsynced is not None and not self.witnessed and synced:
            os.truncate(log_of(self.path), self._unsynced[0])
            self._unsynced = None

    def close(self) -> None:
        """See `Medium`."""
        if self._journal is not None:
            self._journal.close()
            if self._journal.path != self.path:
                remove_files(self._journal.path)
        self._journal = None

    def flip_bit(self) -> None:
        """See `Medium`; in the database, in its log or in its witness, where something stands.

        What stands in the log, SQLite checks by itself; so half of the time it is emptied before.
        """
        if self.random.random() < 0.5:
            self._empty_log()
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            files = [self.path, log_of(self.path), witness_of(self.path)]
            file = self.random.choice([each for each in files if size_of(each)] or [None])
            if file is not None:
                data, is_log = bytearray(file.read_bytes()), file == log_of(self.path)
                written = data[: end_of(file)] if is_log else data
                place = draw_place(written, self.random, is_log=is_log)
                data[place] ^= 1 << self.random.randrange(8)
                file.write_bytes(data)

    def _empty_log(self) -> None:
        """Let all be in the database, as after a checkpoint."""
        if self.path.exists():
            with closing(sqlite3.connect(self.path)) as db, suppress(sqlite3.Error):
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._unsynced = None

    def keep_copy(self) -> None:
        """See `Medium`."""
        self._copy = self._folder() / f"{self._name}.copy"
        remove_files(self._copy)
        copy_files(self.path, self._copy)
        if witness_of(self.path).exists():
            shutil.copyfile(witness_of(self.path), witness_of(self._copy))

    def restore_copy(self, whole: bool) -> None:
        """See `Medium`."""
        self.wipe(whole)
        if self._copy is not None:
            copy_files(self._copy, self.path)
            if whole and witness_of(self._copy).exists():
                shutil.copyfile(witness_of(self._copy), witness_of(self.path))

    def lose_witness(self) -> bool:
        """See `Medium`."""
        witness = witness_of(self.path)
        line = bytearray(witness.read_bytes()) if witness.exists() else None
        if not line or self.random.random() < 0.5:
            witness.unlink(missing_ok=True)
            return self.path.exists()
        line[self.random.randrange(len(line))] ^= 1
        witness.write_bytes(line)
        return True

    def wipe(self, whole: bool) -> None:
        """See `Medium`."""
        remove_files(self.path, but=() if whole else (".witness",))
