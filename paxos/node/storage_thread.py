"""The journal off the Trio loop: one thread writes, and whoever waits meanwhile shares a sync.

A task that persists hands its records to the thread and sleeps on a bell of its own; the thread
takes everything that has gathered, writes it as one transaction, and rings every sleeper.

That takes longer than a sync does on a memory disk, or on one with a battery. So where the disk is
known to be quick the loop writes by itself, as long as it proves quick: one slow write, and for
some time everything goes through the thread again. A disk that stalls after it was quick thus holds
the loop up once, as any slow code in it would; leases and `term.check` count by the clock and stay
right.
"""

from __future__ import annotations

import math
import queue
import resource
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

import trio

from paxos.journal import Journal
from paxos.journal.snapshots import pieces_of, snapshot_records
from paxos.node.handover import Bell, Request, Saving
from paxos.node.storage import Storage, T
from paxos.protocol.records import Record, Snapshotted
from paxos.protocol.values import Value

LATER_SECONDS: Final = 0.5
"""Records of `Storage.persist_later` wait at most about this long for company, in seconds."""

LATER_RECORDS: Final = 256
"""When so many of them wait, they are written at once."""

LONG_SECONDS: Final = 0.0025
"""A write that kept the loop for longer was the disk's fault, unless the thread never waited: then
others had the processor, and that happens to all that the loop does."""

AWAY_FACTOR: Final = 100
"""Then the thread writes for so many times as long: no disk costs the loop more than that share."""


def thread_waits() -> int:
    """Return how often this thread has waited for something, but for the processor.

    Where the system does not tell, it seems to have waited each time.
    """
    if sys.platform == "linux":
        return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    return time.perf_counter_ns()


class ThreadStorage(Storage):
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
        self._requests: queue.SimpleQueue[Request | Saving] = queue.SimpleQueue()
        self._saving: deque[Saving] = deque()
        self._idle_bells = [Bell()]  # enough to end with, where none can be made any more
        self._one_reader = trio.CapacityLimiter(1)

    async def persist(self, records: Sequence[Record]) -> None:
        """See `Storage.persist`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._at_hand():
            self._write_here(records)
        else:
            await self._submit(records)

    async def persist_later(self, records: Sequence[Record]) -> None:
        """See `Storage.persist_later`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._require_open()
        self._later += records
        if len(self._later) >= LATER_RECORDS:
            await self.persist(())
        else:
            self._later_came.set()

    async def read(self, first: int, last: int, max_bytes: int) -> list[tuple[int, Value]]:
        """See `Storage.read`."""
        return await trio.to_thread.run_sync(
            self._journal.read, first, last, max_bytes, limiter=self._one_reader
        )

    async def save(self, position: int, pieces: Iterable[bytes]) -> Snapshotted:
        """See `Storage.save`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._require_open()
        saving = Saving(snapshot_records(position, pieces), self._take_bell())
        self._handed += 1
        self._requests.put(saving)
        await self._heard(saving)
        if saving.error is not None:
            raise saving.error
        assert isinstance(saving.last, Snapshotted)
        return saving.last

    async def load(self, snapshot: Snapshotted, read: Callable[[Iterator[bytes]], T]) -> T:
        """See `Storage.load`."""
        await self.persist(())
        return await trio.to_thread.run_sync(
            lambda: read(pieces_of(self._journal, snapshot)), limiter=self._one_reader
        )

    async def read_pieces(self, position: int, first: int, count: int) -> list[bytes]:
        """See `Storage.read_pieces`."""
        return await trio.to_thread.run_sync(
            self._journal.read_pieces, position, first, count, limiter=self._one_reader
        )

    async def flush_regularly(self) -> None:
        """Write what `persist_later` left, when nobody took it along.

        One such write at a time: what comes meanwhile waits where it is counted. That it failed
        whoever writes next will hear; these records cost only time. Nor may it raise that there is
        no descriptor left for a bell: it would end all that Trio runs.
        """
        with self._flushing:
            while True:
                await self._later_came.wait()
                await trio.sleep(LATER_SECONDS)
                self._later_came = trio.Event()
                if self._later:
                    with suppress(OSError):
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

    def _hand_over(self, records: Sequence[Record], *, last: bool = False) -> Request:
        """Give the thread the records, behind those that wait for company."""
        self._require_open()
        bell = self._take_bell()  # first: without it, nothing has been taken
        request = Request([*self._take_later(), *records], bell, last)
        self._handed += 1
        self._requests.put(request)
        return request

    def _require_open(self) -> None:
        if self._finishing:
            raise trio.ClosedResourceError("this storage is closed")

    async def _answer(self, request: Request) -> BaseException | None:
        """Sleep until the thread has dealt with the request; return its error."""
        await self._heard(request)
        return request.error

    def _take_bell(self) -> Bell:
        return self._idle_bells.pop() if self._idle_bells else Bell()

    async def _heard(self, request: Request | Saving) -> None:
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

    def _gather(self) -> list[Request]:
        """Return all requests that are there; wait for one unless a snapshot is being saved."""
        requests: list[Request] = []
        with suppress(queue.Empty):
            while True:
                wait = not requests and not self._saving
                request = self._requests.get() if wait else self._requests.get_nowait()
                if isinstance(request, Saving):
                    self._saving.append(request)
                else:
                    requests.append(request)
        return requests

    def _write_together(self, requests: list[Request], more: list[Record]) -> BaseException | None:
        records = [record for request in requests for record in request.records] + more
        try:
            self._write(records)
        except BaseException as error:
            return error
        return None
