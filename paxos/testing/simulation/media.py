"""What a journal lies on: memory, or a real file; and what can happen to it."""

from __future__ import annotations

import copy
import os
import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from paxos.journal import Journal, JournalCorrupt, JournalError, MemoryJournal, SqliteJournal
from paxos.journal.snapshots import pieces_of
from paxos.protocol.records import Record
from paxos.wire import decode_value, encode_value

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in it is made safely
"""Where files cost no disk, if there is such a place."""

LOG_HEADER_BYTES, FRAME_HEADER_BYTES, PAGE_BYTES = 32, 24, 4096
"""Of the write-ahead log: what it begins with, and what each frame of it has."""


@contextmanager
def memory_disk() -> Iterator[Path]:
    """Make a folder that costs no disk, where that is possible, and remove it in the end."""
    place = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with TemporaryDirectory(prefix=f"paxos-{os.getpid()}-", dir=place) as folder:
        yield Path(folder)


class Medium(ABC):
    """Outlives the lives of a node. What is not said to be for a node that is up needs one down."""

    tears: ClassVar[bool]
    """Whether a write can be cut in two, or else is lost as a whole."""

    witnessed = True
    """Whether anything beside the journal tells how far it was written."""

    @abstractmethod
    def open(self) -> Journal:
        """Return the journal for the next life. Raises `JournalError`."""

    @abstractmethod
    def write(self, records: Sequence[Record], trouble: str) -> tuple[bool, JournalError | None]:
        """Write while the node is up; any ``trouble`` makes that fail.

        Return whether the records are durable, which nobody knows after an error, and the error.
        """

    @abstractmethod
    def next_life(self) -> list[Record]:
        """Return what the journal would give back to the next life, if this one ended now."""

    @abstractmethod
    def crash(self) -> None:
        """End the node's life at once: what was written stays."""

    @abstractmethod
    def crash_in_write(self, records: Sequence[Record]) -> bool:
        """End it while these are written; tell whether they are durable, or else lost or torn."""

    @abstractmethod
    def close(self) -> None:
        """Release what is held outside this process's memory, up or not."""

    @abstractmethod
    def flip_bit(self) -> None:
        """Change what is stored."""

    @abstractmethod
    def keep_copy(self) -> None:
        """Copy everything, at any time, for `restore_copy`."""

    @abstractmethod
    def restore_copy(self, whole: bool) -> None:
        """Put the copy, or nothing, in the place of the journal, or of the whole disk."""

    @abstractmethod
    def wipe(self, whole: bool) -> None:
        """Remove the journal, or all that is on the disk."""


def all_of(journal: Journal) -> list[Record]:
    """Return what a journal gives back, having looked at its snapshots, too."""
    for snapshot in journal.snapshots:
        for _ in pieces_of(journal, snapshot):
            pass
    return list(journal.recover())


class MemoryMedium(Medium):
    """Holds a `MemoryJournal`."""

    tears = False
    witnessed = False

    def __init__(self) -> None:
        self._journal: MemoryJournal | None = None
        self._copy: MemoryJournal | None = None
        self._damaged = False
        self._boot = 0

    def open(self) -> Journal:
        """See `Medium`; it has no checksums, but behaves as if it had."""
        if self._damaged:
            raise JournalCorrupt("a record does not match its checksum")
        if self._journal is None:
            self._journal = MemoryJournal(boot=self._boot)
        else:
            self._journal = self._journal.reopened(self._boot)
        self._boot = self._journal.boot
        return self._journal

    def write(self, records: Sequence[Record], trouble: str) -> tuple[bool, JournalError | None]:
        """See `Medium`."""
        assert self._journal is not None
        if trouble:
            self._journal.fail(trouble)
        try:
            self._journal.write(records)
        except JournalError as error:
            return False, error
        return True, None

    def next_life(self) -> list[Record]:
        """See `Medium`."""
        assert self._journal is not None
        return all_of(self._journal)

    def crash(self) -> None:
        """See `Medium`."""
        if self._journal is not None:
            self._journal.close()

    def crash_in_write(self, records: Sequence[Record]) -> bool:
        """See `Medium`."""
        self.crash()
        return False

    def close(self) -> None:
        """See `Medium`."""

    def flip_bit(self) -> None:
        """See `Medium`."""
        self._damaged = True

    def keep_copy(self) -> None:
        """See `Medium`."""
        self._copy = copy.deepcopy(self._journal)

    def restore_copy(self, whole: bool) -> None:
        """See `Medium`; there is nothing beside the journal."""
        self._journal = copy.deepcopy(self._copy)

    def wipe(self, whole: bool) -> None:
        """See `Medium`."""
        self._damaged = False
        if self._journal is not None:
            self._journal.forget("" if whole else "the journal is gone")


class _Connection(sqlite3.Connection):
    """A connection to SQLite that its medium may let fail."""

    medium: ClassVar[SqliteMedium]

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        medium = self.medium
        if sql.startswith("BEGIN"):
            medium.writer = self
        if medium.trouble:
            medium.statements -= 1
            if sql == "COMMIT" and medium.random.random() < 0.5:
                super().execute(sql)
                medium.committed = True
            if medium.statements <= 0 or sql == "COMMIT":
                raise sqlite3.OperationalError(medium.trouble)
        return super().execute(sql, *parameters)


class _PagedJournal(SqliteJournal):
    """A journal whose pages are small, so that there are many."""

    page_bytes = 1000
    page_votes = 3


class SqliteMedium(Medium):
    """Holds the files of an `SqliteJournal`, in a folder that should be memory.

    A crash leaves the files as they are at that moment: the journal's connections are still open
    when they are copied, and the next life finds a database that nobody closed.
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
        self.committed = False
        """Whether it was durable all the same."""
        self._name, self._folder, self._wall_clock = name, folder, wall_clock
        self._generation = 0
        self._copy: Path | None = None
        self._journal: SqliteJournal | None = None
        self._witness = b""
        """What the witness saw when this life began: all that is sure to outlast a power cut."""
        self._connection = type("_OwnConnection", (_Connection,), {"medium": self})

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self._folder() / f"{self._name}.{self._generation}"

    def open(self) -> Journal:
        """See `Medium`."""
        self.trouble = ""
        self._journal = self._open(self.path, self._connection)
        self._witness = _witness_of(self.path).read_bytes()
        return self._journal

    def _open(self, path: Path, connection: type[sqlite3.Connection]) -> SqliteJournal:
        return _PagedJournal(
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
        _copy(self.path, path)
        shutil.copyfile(_witness_of(self.path), _witness_of(path))
        journal = self._open(path, sqlite3.Connection)
        try:
            return all_of(journal)
        finally:
            journal.close()
            _remove(path)

    def write(self, records: Sequence[Record], trouble: str) -> tuple[bool, JournalError | None]:
        """See `Medium`. It fails before one of the first statements, or at the commit."""
        assert self._journal is not None
        self.trouble, self.statements = trouble, self.random.randint(1, 6)
        self.committed = False
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
            self._leave(_witness_of(self.path).read_bytes())
        self.close()

    def crash_in_write(self, records: Sequence[Record]) -> bool:
        """See `Medium`; of the frames that were written, the last is not whole."""
        assert self._journal is not None
        self.writer.execute("PRAGMA wal_autocheckpoint = 0")
        witness = _witness_of(self.path).read_bytes()
        before = _size(_log_of(self.path))
        durable, _ = self.write(records, "")
        after = _size(_log_of(self.path))
        torn = after > before
        self._leave(witness)
        if torn and _log_of(self.path).exists():
            with _log_of(self.path).open("r+b") as log:
                log.truncate(self.random.randint(before, after - 1))
        self.close()
        return durable and not torn

    def _leave(self, witness: bytes) -> None:
        """Copy the files as a kill leaves them, or a power cut: without what was not synced."""
        synced = self.writer.execute("PRAGMA synchronous").fetchone()[0] >= 2
        before = self.path
        self._generation += 1
        _copy(before, self.path, log=synced)
        self.witnessed = self.random.random() < 0.7
        _witness_of(self.path).write_bytes(witness if self.witnessed else self._witness)

    def close(self) -> None:
        """See `Medium`."""
        if self._journal is not None:
            self._journal.close()
            if self._journal.path != self.path:
                _remove(self._journal.path)
        self._journal = None

    def flip_bit(self) -> None:
        """See `Medium`; in the database, in its log or in its witness, where something stands."""
        files = [self.path, _log_of(self.path), _witness_of(self.path)]
        file = self.random.choice([each for each in files if _size(each)] or [None])
        if file is not None:
            data = bytearray(file.read_bytes())
            place = self.random.choice(_places(data, is_log=file == _log_of(self.path)))
            data[place] ^= 1 << self.random.randrange(8)
            file.write_bytes(data)

    def keep_copy(self) -> None:
        """See `Medium`."""
        self._copy = self._folder() / f"{self._name}.copy"
        _remove(self._copy)
        _copy(self.path, self._copy)
        if _witness_of(self.path).exists():
            shutil.copyfile(_witness_of(self.path), _witness_of(self._copy))

    def restore_copy(self, whole: bool) -> None:
        """See `Medium`."""
        self.wipe(whole)
        if self._copy is not None:
            _copy(self._copy, self.path)
            if whole and _witness_of(self._copy).exists():
                shutil.copyfile(_witness_of(self._copy), _witness_of(self.path))

    def wipe(self, whole: bool) -> None:
        """See `Medium`."""
        _remove(self.path, but=() if whole else (".witness",))


def _places(data: bytes, *, is_log: bool) -> list[int]:
    """Return where something stands: all that is not zero, and the headers in a log.

    In these SQLite writes numbers that it draws itself, zeros among them. A seed must not depend on
    that, and need not: whichever of their bits is flipped, the log ends there.
    """
    start, frame = LOG_HEADER_BYTES, FRAME_HEADER_BYTES + PAGE_BYTES
    return [
        place
        for place, byte in enumerate(data)
        if byte or (is_log and (place < start or (place - start) % frame < FRAME_HEADER_BYTES))
    ]


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _witness_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.witness")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _copy(source: Path, target: Path, *, log: bool = True) -> None:
    if source.exists():
        shutil.copyfile(source, target)
    if log and _log_of(source).exists():
        shutil.copyfile(_log_of(source), _log_of(target))


def _remove(path: Path, but: Sequence[str] = ()) -> None:
    for ending in ("", "-wal", "-shm", ".lock", ".witness"):
        if ending not in but:
            path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
