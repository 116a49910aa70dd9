"""The journal off the Trio loop: merging, cancellation, failure, the end."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
import trio
import trio.testing

from paxos.journal import JournalError, MemoryJournal, SqliteJournal
from paxos.node import storage_thread as module
from paxos.node.storage import Storage
from paxos.node.storage_thread import LATER_RECORDS, thread_waits
from paxos.node.storing import open_storage
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Learned, Record

FIRST, SECOND, THIRD, FOURTH = (Begun(Ballot(number, "node1")) for number in range(1, 5))


class GatedJournal(MemoryJournal):
    """Blocks in each write until the test lets it go on, as a disk does."""

    inline = False

    def __init__(self) -> None:
        super().__init__()
        self.transactions: list[list[Record]] = []
        self.threads: set[threading.Thread] = set()
        self._begun = threading.Semaphore(0)
        self._gate = threading.Semaphore(0)

    def write(self, records: Sequence[Record]) -> None:
        self.threads.add(threading.current_thread())
        self._begun.release()
        self._gate.acquire()
        super().write(records)
        self.transactions.append(list(records))

    async def write_begun(self) -> None:
        await trio.to_thread.run_sync(self._begun.acquire)

    def let_go(self, writes: int = 1) -> None:
        self._gate.release(writes)


class ThreadedJournal(MemoryJournal):
    """In memory, yet written by a thread."""

    inline = False


async def persist_all(storage: Storage, *records: Record) -> None:
    async with trio.open_nursery() as nursery:
        for record in records:
            nursery.start_soon(storage.persist, [record])


async def test_persist_returns_when_the_records_are_durable() -> None:
    journal = GatedJournal()
    async with open_storage(journal) as storage, trio.open_nursery() as nursery:
        nursery.start_soon(storage.persist, [FIRST, SECOND])
        await journal.write_begun()
        await trio.testing.wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
        journal.let_go()
    assert journal.transactions == [[FIRST, SECOND]]


async def test_tasks_that_wait_for_one_write_share_the_next() -> None:
    journal = GatedJournal()
    async with open_storage(journal) as storage, trio.open_nursery() as nursery:
        nursery.start_soon(storage.persist, [FIRST])
        await journal.write_begun()
        for record in (SECOND, THIRD, FOURTH):
            nursery.start_soon(storage.persist, [record])
            await trio.testing.wait_all_tasks_blocked()
        journal.let_go(2)
    assert journal.transactions == [[FIRST], [SECOND, THIRD, FOURTH]]
    assert storage.statistics().transactions == 2
    assert storage.statistics().records == 4


async def test_later_records_travel_with_the_next_in_order() -> None:
    journal = GatedJournal()
    journal.let_go(9)
    async with open_storage(journal) as storage:
        await storage.persist_later([FIRST])
        await storage.persist_later([SECOND])
        assert storage.statistics().waiting == 2
        await storage.persist([THIRD])
    assert journal.transactions == [[FIRST, SECOND, THIRD]]


async def test_later_records_are_written_soon_without_company(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LATER_SECONDS", 0.001)
    journal = GatedJournal()
    journal.let_go(9)
    async with open_storage(journal) as storage:
        for record in (FIRST, SECOND):
            await storage.persist_later([record])
            await journal.write_begun()
    assert journal.transactions == [[FIRST], [SECOND]]


async def test_later_records_wait_for_company_or_the_end_where_no_descriptor_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LATER_SECONDS", 0.001)
    journal, tried = GatedJournal(), trio.Event()

    def exhausted() -> None:
        tried.set()
        raise OSError(errno.EMFILE, "Too many open files")

    async with open_storage(journal) as storage, trio.open_nursery() as nursery:
        monkeypatch.setattr(module, "Bell", exhausted)
        nursery.start_soon(storage.persist, [FIRST])  # with the only bell there is
        await journal.write_begun()
        await storage.persist_later([SECOND])
        await tried.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert journal.transactions == []
        journal.let_go(2)
    assert journal.transactions == [[FIRST], [SECOND]]


async def test_later_records_are_written_at_the_end() -> None:
    journal = GatedJournal()
    journal.let_go()
    async with open_storage(journal) as storage:
        await storage.persist_later([FIRST])
    assert journal.transactions == [[FIRST]]


async def test_later_records_are_written_at_the_end_of_a_cancelled_block() -> None:
    journal = GatedJournal()
    journal.let_go()
    with trio.CancelScope() as scope:
        async with open_storage(journal) as storage:
            await storage.persist_later([FIRST])
            scope.cancel()
            await trio.sleep_forever()
    assert journal.transactions == [[FIRST]]


async def test_too_many_later_records_are_waited_for() -> None:
    journal = GatedJournal()
    async with open_storage(journal) as storage:
        await storage.persist_later([FIRST] * (LATER_RECORDS - 1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(storage.persist_later, [SECOND])
            await journal.write_begun()
            await trio.testing.wait_all_tasks_blocked()
            assert len(nursery.child_tasks) == 1
            journal.let_go()
    assert [len(records) for records in journal.transactions] == [LATER_RECORDS]


async def test_a_cancelled_task_stops_waiting_and_its_records_may_be_written() -> None:
    journal = GatedJournal()
    async with open_storage(journal) as storage:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(storage.persist, [FIRST])
                await journal.write_begun()
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        assert scope.cancelled_caught
        assert journal.transactions == []
        async with trio.open_nursery() as nursery:  # its late answer is not taken for ours
            nursery.start_soon(storage.persist, [SECOND])
            await trio.testing.wait_all_tasks_blocked()
            journal.let_go()
            await journal.write_begun()
            await trio.testing.wait_all_tasks_blocked()
            assert len(nursery.child_tasks) == 1
            journal.let_go()
    assert journal.transactions == [[FIRST], [SECOND]]


@pytest.mark.parametrize("kind", [MemoryJournal, ThreadedJournal])
async def test_a_task_that_is_cancelled_already_writes_nothing(kind: type[MemoryJournal]) -> None:
    journal = kind()
    async with open_storage(journal) as storage:
        with trio.CancelScope() as scope:
            scope.cancel()
            await storage.persist([FIRST])
        assert scope.cancelled_caught
    assert list(journal.recover()) == []


@pytest.mark.parametrize("kind", [MemoryJournal, ThreadedJournal])
async def test_a_failed_journal_fails_every_later_persist(kind: type[MemoryJournal]) -> None:
    journal = kind()
    async with open_storage(journal) as storage:
        await storage.persist([FIRST])
        journal.fail("no space left")
        for _ in range(3):
            with pytest.raises(JournalError, match="no space left"):
                await storage.persist([SECOND])
    assert list(journal.recover()) == [FIRST]
    assert storage.statistics().transactions == 1


async def test_all_who_share_a_failed_write_hear_of_it() -> None:
    journal = GatedJournal()
    failed = 0

    async def persist(storage: Storage, record: Record) -> None:
        nonlocal failed
        with pytest.raises(JournalError, match="no space left"):
            await storage.persist([record])
        failed += 1

    async with open_storage(journal) as storage, trio.open_nursery() as nursery:
        for record in (FIRST, SECOND, THIRD):
            nursery.start_soon(persist, storage, record)
        await journal.write_begun()
        journal.fail("no space left")
        journal.let_go(3)
    assert failed == 3


async def test_a_failure_at_the_end_does_not_hide_the_error_of_the_block() -> None:
    journal = ThreadedJournal()

    async def block() -> None:
        async with open_storage(journal) as storage:
            journal.fail("no space left")
            await storage.persist_later([FIRST])
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await block()


async def test_no_thread_outlives_the_block() -> None:
    journal = GatedJournal()
    journal.let_go(9)

    async def block() -> None:
        async with open_storage(journal) as storage:
            await storage.persist([FIRST])
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await block()
    (thread,) = journal.threads
    assert thread is not threading.current_thread()
    assert thread.daemon
    assert not thread.is_alive()


async def test_a_storage_cannot_be_used_after_its_block() -> None:
    async with open_storage(ThreadedJournal()) as storage:
        pass
    with pytest.raises(trio.ClosedResourceError):
        await storage.persist([FIRST])


@pytest.mark.parametrize("kind", [MemoryJournal, ThreadedJournal])
async def test_learned_values_can_be_read(kind: type[MemoryJournal]) -> None:
    async with open_storage(kind()) as storage:
        await storage.persist([Learned(slot, None, str(slot)) for slot in range(3)])
        assert await storage.read(1, 5, 1000) == [(1, "1"), (2, "2")]


async def test_reading_does_not_wait_for_a_write() -> None:
    journal = GatedJournal()
    journal.let_go()
    async with open_storage(journal) as storage, trio.open_nursery() as nursery:
        await storage.persist([Learned(0, None, "a")])
        await journal.write_begun()
        nursery.start_soon(storage.persist, [FIRST])
        await journal.write_begun()
        assert await storage.read(0, 0, 1000) == [(0, "a")]
        journal.let_go()


async def test_an_inline_journal_needs_no_thread_under_virtual_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    journal = MemoryJournal()
    before = threading.active_count()
    async with open_storage(journal) as storage:
        with trio.testing.assert_checkpoints():
            await storage.persist([FIRST])
        with trio.testing.assert_checkpoints():
            await storage.persist_later([SECOND])
        await trio.sleep(1000)
        assert threading.active_count() == before
    assert list(journal.recover()) == [SECOND]
    assert storage.statistics().transactions == 2


class WatchedJournal(ThreadedJournal):
    """Knows which thread wrote what."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[tuple[str, list[Record]]] = []

    def write(self, records: Sequence[Record]) -> None:
        self.writes.append((threading.current_thread().name, list(records)))
        super().write(records)


async def test_the_loop_writes_by_itself_where_the_disk_is_quick() -> None:
    journal = WatchedJournal()
    here = threading.current_thread().name
    async with open_storage(journal, quick=True) as storage:
        await storage.persist_later([Learned(0, None, "a")])
        await storage.persist([FIRST])
        assert journal.writes == [(here, [Learned(0, None, "a"), FIRST])]
        await storage.persist_later([Learned(slot, None, "a") for slot in range(1, LATER_RECORDS)])
        assert len(journal.writes) == 1
        await storage.persist_later([Learned(LATER_RECORDS, None, "a")])
    assert [thread for thread, _ in journal.writes[:2]] == [here, here]
    assert storage.statistics().records == LATER_RECORDS + 2


async def test_a_long_write_sends_the_next_ones_through_the_thread_for_some_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = WatchedJournal()
    here = threading.current_thread().name
    monkeypatch.setattr(module, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(module, "AWAY_FACTOR", 1e9)
    monkeypatch.setattr(module, "thread_waits", count().__next__)
    async with open_storage(journal, quick=True) as storage:
        await storage.persist([FIRST])
        await storage.persist([SECOND])
        storage._quick_from = 0.0  # type: ignore[attr-defined]  # as if that time had passed
        await storage.persist([THIRD])
        await storage.persist([FOURTH])
    assert [thread for thread, _ in journal.writes] == [here, "journal", here, "journal"]


async def test_a_write_is_long_through_no_fault_of_the_disk_where_the_thread_never_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal = WatchedJournal()
    monkeypatch.setattr(module, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(module, "thread_waits", lambda: 7)
    async with open_storage(journal, quick=True) as storage:
        await storage.persist([FIRST])
        await storage.persist([SECOND])
        assert {thread for thread, _ in journal.writes} == {threading.current_thread().name}


def test_a_thread_that_sleeps_has_waited() -> None:
    before = thread_waits()
    time.sleep(0.001)
    assert thread_waits() > before


async def test_the_loop_never_writes_beside_the_thread() -> None:
    journal = GatedJournal()
    async with open_storage(journal, quick=True) as storage, trio.open_nursery() as nursery:
        nursery.start_soon(storage.save, 1, [b"a", b"b"])
        await journal.write_begun()  # the thread is in the middle of it
        nursery.start_soon(storage.persist, [FIRST])
        await trio.testing.wait_all_tasks_blocked()
        journal.let_go(2)
    assert {thread.name for thread in journal.threads} == {"journal"}
    journal.let_go()
    async with open_storage(journal, quick=True) as storage:
        await storage.persist([SECOND])
    assert threading.current_thread() in journal.threads


async def test_failure_of_a_write_of_the_loop_is_raised_as_it_is() -> None:
    class Broken(ThreadedJournal):
        def write(self, records: Sequence[Record]) -> None:
            raise JournalError("the disk is full")

    async with open_storage(Broken(), quick=True) as storage:
        with pytest.raises(JournalError, match="the disk is full"):
            await storage.persist([FIRST])


async def test_a_journal_on_disk_serves_many_tasks(tmp_path: Path) -> None:
    journal = SqliteJournal(
        tmp_path / "node1.db", cluster="shop", node="node1", encode=lambda _: b"", decode=bytes
    )
    async with open_storage(journal) as storage:
        await persist_all(storage, *(Begun(Ballot(number, "node1")) for number in range(1, 101)))
        assert storage.statistics().records == 100
        assert storage.statistics().transactions < 100  # how many exactly is the disk's affair
    assert list(journal.recover()) == [Begun(Ballot(100, "node1"))]
    journal.close()
