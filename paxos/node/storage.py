"""A journal as the tasks of a node use it: what they may ask of it, whoever writes it.

`storing` opens it. `storage_thread` is for a journal that blocks, with `handover` between the loop
and the thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from attrs import frozen

from paxos.journal import Journal
from paxos.protocol.records import Record, Snapshotted
from paxos.protocol.values import Value

T = TypeVar("T")


@frozen
class StorageStatistics:
    """What a `Storage` has done so far."""

    transactions: int
    """Each is one sync."""
    in_loop: int
    """How many of them the Trio loop wrote by itself, for the disk was quick."""
    records: int
    """Written durably."""
    waiting: int
    """Records of `Storage.persist_later` that nobody has asked to be written yet."""


class Storage(ABC):
    """A journal as the tasks of a node use it; comes from `open_storage`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._failed = False
        self._transactions = self._in_loop = self._records = 0

    @abstractmethod
    async def persist(self, records: Sequence[Record]) -> None:
        """Return when the records, and all that were handed over before, are durable.

        A caller that is cancelled merely stops waiting: the records may still be written.

        Raises:
            JournalError: The journal has failed, now or earlier.
            trio.ClosedResourceError: The block of the storage has ended.

        """

    @abstractmethod
    async def persist_later(self, records: Sequence[Record]) -> None:
        """Write the records with the next ones, or within `LATER_SECONDS`, or at the end.

        It returns at once, without letting others run, except when `LATER_RECORDS` wait already:
        then it waits until they are durable, so that a slow disk slows its writers and memory
        stays bounded.

        Raises:
            JournalError: It waited, and the journal has failed.
            trio.ClosedResourceError: The block of the storage has ended.

        """

    @abstractmethod
    async def read(self, first: int, last: int, max_bytes: int) -> list[tuple[int, Value]]:
        """Return chosen values as `Journal.read` does, without delaying writes."""

    @abstractmethod
    async def save(self, position: int, pieces: Iterable[bytes]) -> Snapshotted:
        """Write a snapshot beside everything else, piece by piece; return when it is whole.

        The pieces are asked for as they are written, in the journal's thread.

        Raises:
            JournalError: The journal has failed.
            trio.ClosedResourceError: The block of the storage has ended, or did so meanwhile.

        """

    @abstractmethod
    async def load(self, snapshot: Snapshotted, read: Callable[[Iterator[bytes]], T]) -> T:
        """Return what ``read`` makes of a snapshot's pieces, which were written before.

        Raises:
            JournalCorrupt: They are not whole.
            JournalError: The journal has failed.

        """

    @abstractmethod
    async def read_pieces(self, position: int, first: int, count: int) -> list[bytes]:
        """Return pieces as `Journal.read_pieces` does, without delaying writes."""

    def statistics(self) -> StorageStatistics:
        """Return what was done so far."""
        return StorageStatistics(self._transactions, self._in_loop, self._records, self._waiting())

    def _waiting(self) -> int:
        return 0

    def _write(self, records: Sequence[Record]) -> None:
        """Write, unless there is nothing; also then raise the error of a journal that failed."""
        if not records and not self._failed:
            return
        self._failed = True  # until it has not
        self._journal.write(records)
        self._failed = False
        self._transactions += 1
        self._records += len(records)
