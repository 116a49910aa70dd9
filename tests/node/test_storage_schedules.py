"""Drawn schedules over the real storage: long and short writes, failures, cancellations, the end.

How long a write takes is told by a clock of the test, so that `LONG_SECONDS` is crossed at will.
How the loop and the journal's thread take turns is the machine's affair, and differs each time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from random import Random

import pytest
import trio
import trio.testing

from paxos.journal import JournalError, MemoryJournal
from paxos.node import storage_thread as module
from paxos.node.storage import Storage
from paxos.node.storage_thread import AWAY_FACTOR, LATER_RECORDS, LONG_SECONDS
from paxos.node.storing import open_storage
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Piece, Record, Snapshotted

TASKS = 4
STEPS = 40
LIMIT = 20.0
DURATIONS = (0.0, 0.0001, 0.5 * LONG_SECONDS, LONG_SECONDS, 1.5 * LONG_SECONDS, 4 * LONG_SECONDS)


class Clock:
    """Stands in for the module ``time``."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


class Disk(MemoryJournal):
    """Knows what is durable, and who may write at this moment."""

    inline = False

    def __init__(self, random: Random, clock: Clock, failing: int) -> None:
        super().__init__()
        self.synced: list[Record] = []
        self.threads: set[str] = set()
        self.failing = failing
        """Which write fails, counted from 1; 0 for none."""
        self.failed = False
        self.closed = False
        self.broken: list[str] = []
        """The rules that were broken: an assertion here would pass for a failed disk."""
        self._random, self._clock = random, clock
        self._count = 0
        self.waits = 0
        """How often the loop has waited for it."""
        self._away = -1.0
        """Until when the loop must not write."""
        self._writing = threading.Lock()

    def write(self, records: Sequence[Record]) -> None:
        if not self._writing.acquire(blocking=False):
            self.broken.append("two write at once")
        if self.closed:
            self.broken.append("written after the end")
        self._count += 1
        self.failed = self.failed or self._count == self.failing
        if self.failed:
            self._writing.release()
            raise JournalError("the disk is full")
        if not records:
            self.broken.append("synced for nothing")
        name, seconds = threading.current_thread().name, self._random.choice(DURATIONS)
        self.threads.add(name)
        if name == "journal":
            time.sleep(self._random.choice((0.0, 0.0002)))
        elif self._clock.now < self._away:
            self.broken.append("the loop writes although the disk was slow a moment ago")
        self._clock.now += seconds
        if name != "journal" and self._random.random() < 0.5:
            self.waits += 1
            if seconds > LONG_SECONDS:
                self._away = self._clock.now + 0.9 * AWAY_FACTOR * seconds
        super().write(records)
        self.synced += records
        self._writing.release()

    def durable(self) -> list[Record]:
        """Everything but the pieces of snapshots, which travel in between."""
        return [record for record in self.synced if isinstance(record, Begun)]


class Schedule:
    """One drawn run: what the tasks handed over, and what they were told."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.random = Random(seed)
        self.clock = Clock()
        monkeypatch.setattr(module, "time", self.clock)
        monkeypatch.setattr(module, "LATER_SECONDS", 0.002)
        failing = self.random.choice((0, 0, 0, self.random.randrange(1, 60)))
        self.disk = Disk(Random(seed), self.clock, failing)
        monkeypatch.setattr(module, "thread_waits", lambda: self.disk.waits)
        self.handed: list[Record] = []
        """In the order in which the storage was given them."""
        self.saved = 0
        self.cancelled = 0

    async def run(self) -> None:
        at_once = self.random.random() < 0.3
        with trio.fail_after(LIMIT):
            async with trio.open_nursery() as outside:  # whose tasks go on when the storage ends
                async with open_storage(self.disk, quick=self.random.random() < 0.8) as storage:
                    for _ in range(TASKS):
                        outside.start_soon(self.work, storage)
                    if at_once:
                        await trio.sleep(self.random.random() * 0.01)
                    else:
                        while len(outside.child_tasks) > 0:
                            await trio.sleep(0.001)
                self.disk.closed = True
        assert self.disk.broken == []
        if self.disk.failed:
            assert self.disk.durable() == self.handed[: len(self.disk.durable())]
        else:
            assert self.disk.durable() == self.handed, "at the end all is durable, in its order"
        statistics = storage.statistics()
        assert statistics.records == len(self.disk.synced)
        assert statistics.waiting == 0 or self.disk.failed

    async def work(self, storage: Storage) -> None:
        steps = (self.persist, self.persist, self.persist_later, self.save, self.give_up, self.rest)
        try:
            for _ in range(STEPS):
                await self.random.choice(steps)(storage)
        except* trio.ClosedResourceError:
            pass  # the storage has ended

    def draw(self, most: int = 3) -> list[Record]:
        count = self.random.randrange(most + 1)
        first = len(self.handed) + 1
        return [Begun(Ballot(number, "node1")) for number in range(first, first + count)]

    def hand_over(self, storage: Storage, records: list[Record]) -> int:
        """Note what is handed over now; return how much that is with all that was before."""
        refused = storage._finishing  # type: ignore[attr-defined]
        if not refused and trio.current_effective_deadline() > -math.inf:  # it is cancelled else
            self.handed += records
        return len(self.handed)

    async def persist(self, storage: Storage) -> None:
        records = self.draw()
        count = self.hand_over(storage, records)
        try:
            await storage.persist(records)
        except JournalError:
            assert self.disk.failed
        else:
            durable = self.disk.durable()
            assert durable[:count] == self.handed[:count], "released before it was durable"

    async def persist_later(self, storage: Storage) -> None:
        records = self.draw()
        self.hand_over(storage, records)
        try:
            await storage.persist_later(records)
        except JournalError:
            assert self.disk.failed

    async def save(self, storage: Storage) -> None:
        self.saved += 1
        position = self.saved
        pieces = [b"%d/%d" % (position, index) for index in range(self.random.randrange(9))]
        try:
            saved = await storage.save(position, pieces)
        except JournalError:
            assert self.disk.failed
        else:
            written = [piece for piece in self.disk.synced if isinstance(piece, Piece)]
            found = [piece.data for piece in written if piece.position == position]
            assert found == pieces, "a snapshot is whole before anybody hears of it"
            assert saved in self.disk.synced
            assert isinstance(saved, Snapshotted)

    async def give_up(self, storage: Storage) -> None:
        """Hand records over, and stop waiting; or be cancelled before."""
        with trio.CancelScope() as scope:
            if self.random.random() < 0.3:
                scope.cancel()
                await storage.persist(self.draw())
                raise AssertionError("it was cancelled")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.persist, storage)
                await trio.lowlevel.checkpoint()
                scope.cancel()
        self.cancelled += 1

    async def rest(self, _: Storage) -> None:
        self.clock.now += self.random.choice((0.0, 0.1, 1.0))
        await trio.sleep(self.random.choice((0.0, 0.0, 0.001, 0.004)))


async def test_nothing_is_released_before_it_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, failed, cancelled = set[str](), 0, 0
    for seed in range(60):
        schedule = Schedule(seed, monkeypatch)
        try:
            await schedule.run()
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        threads |= schedule.disk.threads
        failed += schedule.disk.failed
        cancelled += schedule.cancelled
    assert threads == {"journal", threading.current_thread().name}
    assert failed > 3
    assert cancelled > 50


class Hung(MemoryJournal):
    """A disk that does not return from a write until it is let go."""

    inline = False

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write(self, records: Sequence[Record]) -> None:
        self.free.wait(LIMIT)
        super().write(records)


async def test_a_disk_that_hangs_makes_writers_wait_and_memory_stays_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LATER_SECONDS", 0.001)
    disk, handed = Hung(), 0
    with trio.fail_after(LIMIT):
        async with open_storage(disk) as storage:
            while True:
                with trio.move_on_after(0.5) as patience:
                    handed += 1
                    await storage.persist_later([Begun(Ballot(handed, "node1"))])
                if patience.cancelled_caught:
                    break
                assert handed < 3 * LATER_RECORDS, "it takes ever more"
                if handed % 50 == 0:
                    await trio.sleep(0.005)  # in which what waits would be handed over
            disk.free.set()
    # the last may have been given up before it was handed over, on a machine that is busy
    assert storage.statistics().records in (handed - 1, handed), "what waited was written"


async def test_a_snapshot_that_the_end_cuts_short_is_told_so() -> None:
    disk = Hung()
    raised: list[BaseException] = []

    async def save(storage: Storage) -> None:
        try:
            await storage.save(1, [b"piece"] * 1000)
        except trio.ClosedResourceError as error:
            raised.append(error)

    async def let_go(storage: Storage) -> None:
        while not storage._finishing:  # type: ignore[attr-defined]
            await trio.sleep(0.001)
        disk.free.set()

    with trio.fail_after(LIMIT):
        async with trio.open_nursery() as outside:
            async with open_storage(disk) as storage:
                outside.start_soon(save, storage)
                await trio.testing.wait_all_tasks_blocked()
                outside.start_soon(let_go, storage)
            for use in (storage.persist, storage.persist_later):
                with pytest.raises(trio.ClosedResourceError):
                    await use([Begun(Ballot(1, "node1"))])
            with pytest.raises(trio.ClosedResourceError):
                await storage.save(2, [b"piece"])
    assert len(raised) == 1
    assert disk.snapshots == ()
