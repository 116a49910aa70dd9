"""The journal off the Trio loop: one thread writes, and whoever waits meanwhile shares a sync.

A task that persists hands its records to the thread and sleeps on a socket pair of its own; the
thread takes everything that has gathered, writes it as one transaction, and rings every sleeper.
Waiting on the socket itself costs one turn of the loop, where `TrioToken.run_sync_soon` needs two
and a task in between: measured, 120 us instead of 190 (and 250 by `trio.to_thread.run_sync`).

That is still more than a sync takes on a memory disk, or on one with a battery. So where the disk
is known to be quick the loop writes by itself, as long as it proves quick: one slow write, and for
some time everything goes through the thread again. A disk that stalls after it was quick thus holds
the loop up once, as any slow code in it would; leases and `term.check` count by the clock and stay
right.
"""

from __future__ import annotations

import math
import queue
import resource
import socket
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from typing import Final, TypeVar

import trio
from attrs import define, frozen

from paxos.forks import Native
from paxos.journal import Journal
from paxos.journal.snapshots import pieces_of, snapshot_records
from paxos.protocol.records import Piece, Record, Snapshotted
from paxos.protocol.values import Value

LATER_SECONDS: Final = 0.5
"""Records of `Storage.persist_later` wait at most about this long for company, in seconds."""

LATER_RECORDS: Final = 256
"""When so many of them wait, they are written at once."""

QUICK_SECONDS: Final = 0.0005
"""A disk that can sync within this time is quick: a switch to the thread and back costs as much."""

LONG_SECONDS: Final = 0.0025
"""A write that kept the loop for longer was the disk's fault, unless the thread never waited: then
others had the processor, and that happens to all that the loop does."""

AWAY_FACTOR: Final = 100
"""Then the thread writes for so many times as long: no disk costs the loop more than that share."""

SAVED_PIECES: Final = 4
"""How many pieces of a snapshot one transaction takes along: votes wait for no more than these."""

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


def thread_waits() -> int:
    """Return how often this thread has waited for something, but for the processor.

    Where the system does not tell, it seems to have waited each time.
    """
    if sys.platform == "linux":
        return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    return time.perf_counter_ns()


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


@asynccontextmanager
async def open_storage(journal: Journal, *, quick: bool = False) -> AsyncIterator[Storage]:
    """Let tasks use the journal inside the block; at its end all that waits is written.

    With ``quick`` its disk is known to sync within `QUICK_SECONDS`, and the loop writes by itself.

    The journal stays open: whoever opened it closes it. No thread outlives the block, so leaving
    it waits for a write that is under way, and cancellation does not shorten that.
    """
    if journal.inline:
        yield _InlineStorage(journal)
        return
    storage = _ThreadStorage(journal, quick=quick)
    # A daemon: if the disk hangs, the thread never returns from the kernel, and an interpreter
    # that wants to exit (a second Ctrl-C, an internal error) must not wait for it.
    thread = threading.Thread(target=storage.run, name="journal", daemon=True)
    thread.start()
    here = Native()
    # A system task, since a nursery here would wrap what the block raises in a group.
    trio.lowlevel.spawn_system_task(storage.flush_regularly)
    try:
        yield storage
    finally:
        if not here.forked:  # a fork has no such thread
            with trio.CancelScope(shield=True):
                await storage.finish()
            thread.join()
        storage.close()


class _InlineStorage(Storage):
    """For a journal whose writes cost nothing: no threads, so that virtual time works."""

    async def persist(self, records: Sequence[Record]) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._write(records)
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def persist_later(self, records: Sequence[Record]) -> None:
        await self.persist(records)

    async def read(self, first: int, last: int, max_bytes: int) -> list[tuple[int, Value]]:
        await trio.lowlevel.checkpoint()
        return self._journal.read(first, last, max_bytes)

    async def save(self, position: int, pieces: Iterable[bytes]) -> Snapshotted:
        for record in snapshot_records(position, pieces):
            await self.persist((record,))
        assert isinstance(record, Snapshotted)
        return record

    async def load(self, snapshot: Snapshotted, read: Callable[[Iterator[bytes]], T]) -> T:
        await trio.lowlevel.checkpoint()
        return read(pieces_of(self._journal, snapshot))

    async def read_pieces(self, position: int, first: int, count: int) -> list[bytes]:
        await trio.lowlevel.checkpoint()
        return self._journal.read_pieces(position, first, count)


class _Bell:
    """Wakes one task from the thread. A ring that comes too late merely wakes in vain."""

    def __init__(self) -> None:
        self._ear, self._hammer = socket.socketpair()
        self._ear.setblocking(False)
        self._hammer.setblocking(False)

    def ring(self) -> None:
        with suppress(BlockingIOError):  # so many rings unheard: one more changes nothing
            self._hammer.send(b"!")

    async def heard(self) -> None:
        await trio.lowlevel.wait_readable(self._ear.fileno())
        with suppress(BlockingIOError):
            self._ear.recv(4096)

    def close(self) -> None:
        self._ear.close()
        self._hammer.close()


@define
class _Request:
    """Records on their way to the thread, and what became of them."""

    records: Sequence[Record]
    bell: _Bell
    last: bool = False
    done: bool = False
    error: BaseException | None = None


@define
class _Saving:
    """A snapshot on its way into the journal."""

    records: Iterator[Piece | Snapshotted]
    bell: _Bell
    last: Record | None = None
    done: bool = False
    error: BaseException | None = None

    def take(self) -> list[Record]:
        """Return the next records; at the end none. An error of the pieces ends it, too."""
        try:
            taken: list[Record] = list(islice(self.records, SAVED_PIECES))
        except BaseException as error:
            self.end(error)
            return []
        self.last = taken[-1]
        return taken

    def end(self, error: BaseException | None) -> None:
        """Tell whoever waits."""
        self.error = error
        self.done = True
        self.bell.ring()


class _ThreadStorage(Storage):
    """For a journal that blocks: `run` is the thread, everything else is called in Trio's."""

    def __init__(self, journal: Journal, *, quick: bool) -> None:
        super().__init__(journal)
        self._quick_from = 0.0 if quick else math.inf
        """From when on the loop may write by itself, as `time.perf_counter` counts."""
        self._handed = self._served = 0
        """How much was handed over to the thread, and with how much it is done."""
        self._later: list[Record] = []
        self._later_came = trio.Event()
        self._flushing = trio.CancelScope()
        self._finishing = self._closed = False
        self._requests: queue.SimpleQueue[_Request | _Saving] = queue.SimpleQueue()
        self._saving: deque[_Saving] = deque()
        self._idle_bells: list[_Bell] = []
        self._one_reader = trio.CapacityLimiter(1)

    async def persist(self, records: Sequence[Record]) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._at_hand():
            self._write_here(records)
        else:
            await self._submit(records)

    async def persist_later(self, records: Sequence[Record]) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._require_open()
        self._later += records
        if len(self._later) >= LATER_RECORDS:
            await self.persist(())
        else:
            self._later_came.set()

    async def read(self, first: int, last: int, max_bytes: int) -> list[tuple[int, Value]]:
        return await trio.to_thread.run_sync(
            self._journal.read, first, last, max_bytes, limiter=self._one_reader
        )

    async def save(self, position: int, pieces: Iterable[bytes]) -> Snapshotted:
        await trio.lowlevel.checkpoint_if_cancelled()
        self._require_open()
        saving = _Saving(snapshot_records(position, pieces), self._take_bell())
        self._handed += 1
        self._requests.put(saving)
        await self._heard(saving)
        if saving.error is not None:
            raise saving.error
        assert isinstance(saving.last, Snapshotted)
        return saving.last

    async def load(self, snapshot: Snapshotted, read: Callable[[Iterator[bytes]], T]) -> T:
        await self.persist(())
        return await trio.to_thread.run_sync(
            lambda: read(pieces_of(self._journal, snapshot)), limiter=self._one_reader
        )

    async def read_pieces(self, position: int, first: int, count: int) -> list[bytes]:
        return await trio.to_thread.run_sync(
            self._journal.read_pieces, position, first, count, limiter=self._one_reader
        )

    async def flush_regularly(self) -> None:
        """Write what `persist_later` left, when nobody took it along.

        One such write at a time: what comes meanwhile waits where it is counted. That it failed
        whoever writes next will hear; these records cost only time.
        """
        with self._flushing:
            while True:
                await self._later_came.wait()
                await trio.sleep(LATER_SECONDS)
                self._later_came = trio.Event()
                if self._later:
                    await self._answer(self._hand_over(()))

    async def finish(self) -> None:
        """Write what is left and end the thread.

        A failure is not raised again: whoever waited for a record has heard of it, and the other
        records cost only time.
        """
        self._flushing.cancel()
        request = self._hand_over((), last=True)
        self._finishing = True
        await self._answer(request)

    def close(self) -> None:
        """Release the bells; only when the thread has ended, since it rings them."""
        self._closed = True
        for bell in self._idle_bells:
            bell.close()

    def _waiting(self) -> int:
        return len(self._later)

    def _at_hand(self) -> bool:
        """Tell whether the loop may write: the disk is quick, and the thread has nothing to do."""
        return (
            self._quick_from <= time.perf_counter()
            and self._handed == self._served
            and not self._finishing
        )

    def _write_here(self, records: Sequence[Record]) -> None:
        began, waits = time.perf_counter(), thread_waits()
        self._write([*self._take_later(), *records])
        self._in_loop += 1
        ended = time.perf_counter()
        if ended - began > LONG_SECONDS and thread_waits() != waits:
            self._quick_from = ended + AWAY_FACTOR * (ended - began)

    def _take_later(self) -> list[Record]:
        later, self._later = self._later, []
        return later

    async def _submit(self, records: Sequence[Record]) -> None:
        error = await self._answer(self._hand_over(records))
        if error is not None:
            raise error

    def _hand_over(self, records: Sequence[Record], *, last: bool = False) -> _Request:
        """Give the thread the records, behind those that wait for company."""
        self._require_open()
        bell = self._take_bell()  # first: without it, nothing has been taken
        request = _Request([*self._take_later(), *records], bell, last)
        self._handed += 1
        self._requests.put(request)
        return request

    def _require_open(self) -> None:
        if self._finishing:
            raise trio.ClosedResourceError("this storage is closed")

    async def _answer(self, request: _Request) -> BaseException | None:
        """Sleep until the thread has dealt with the request; return its error."""
        await self._heard(request)
        return request.error

    def _take_bell(self) -> _Bell:
        return self._idle_bells.pop() if self._idle_bells else _Bell()

    async def _heard(self, request: _Request | _Saving) -> None:
        try:
            await request.bell.heard()
            while not request.done:  # an earlier owner of the bell had stopped listening
                await request.bell.heard()
        finally:
            if self._closed:
                request.bell.close()
            else:
                self._idle_bells.append(request.bell)

    def run(self) -> None:
        """Write request after request until the last; all that have gathered in one go.

        While a snapshot is being saved, each transaction takes the next pieces of it along.
        """
        last = False
        while not last:
            requests = self._gather()
            saving = self._saving[0] if self._saving else None
            error = self._write_together(requests, [] if saving is None else saving.take())
            for request in requests:
                request.error = error
                request.done = True  # before the bell, whose hearer looks at it
                request.bell.ring()
                last = last or request.last
            self._served += len(requests)
            if saving is not None:
                if not saving.done and (error is not None or isinstance(saving.last, Snapshotted)):
                    saving.end(error)
                if saving.done:
                    self._saving.popleft()
                    self._served += 1
        for left in self._saving:
            left.end(trio.ClosedResourceError("this storage was closed"))

    def _gather(self) -> list[_Request]:
        """Return all requests that are there; wait for one unless a snapshot is being saved."""
        requests: list[_Request] = []
        with suppress(queue.Empty):
            while True:
                wait = not requests and not self._saving
                request = self._requests.get() if wait else self._requests.get_nowait()
                if isinstance(request, _Saving):
                    self._saving.append(request)
                else:
                    requests.append(request)
        return requests

    def _write_together(self, requests: list[_Request], more: list[Record]) -> BaseException | None:
        records = [record for request in requests for record in request.records] + more
        try:
            self._write(records)
        except BaseException as error:
            return error
        return None
