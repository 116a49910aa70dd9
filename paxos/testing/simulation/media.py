"""What a journal lies on: memory, or a real file; and what can happen to it."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from paxos.journal import Journal, JournalCorrupt, JournalError, MemoryJournal
from paxos.journal.snapshots import pieces_of
from paxos.protocol.records import Record

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in it is made safely
"""Where files cost no disk, if there is such a place."""


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

    cached = False
    """Whether the last write failed, and is stored where it is lost when the power is cut."""

    keeps_cached = False
    """Whether it is there for the next life."""

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

    def lose_witness(self) -> bool:
        """Remove or damage what lies beside the journal; tell whether anything tells of that."""
        return False

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
