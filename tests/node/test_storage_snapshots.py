"""Snapshots on their way to a journal, beside the votes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from paxos.journal import JournalCorrupt, JournalError
from paxos.journal.snapshots import pieces_of, snapshot_records
from paxos.node.handover import SAVED_PIECES
from paxos.node.storing import open_storage
from paxos.protocol.records import Learned, Piece, Snapshotted
from tests.node.test_storage import FIRST, SECOND, GatedJournal, ThreadedJournal


async def test_votes_wait_for_a_few_pieces_and_not_for_the_whole_snapshot() -> None:
    journal = GatedJournal()
    async with open_storage(journal) as storage, trio.open_nursery() as nursery:
        nursery.start_soon(storage.save, 7, [b"%d" % number for number in range(20)])
        await journal.write_begun()
        nursery.start_soon(storage.persist, [FIRST])
        await trio.testing.wait_all_tasks_blocked()
        journal.let_go()
        await journal.write_begun()
        journal.let_go(99)
    first, second, *others = journal.transactions
    assert [type(record) for record in first] == [Piece] * SAVED_PIECES
    assert second[0] == FIRST
    assert len(second) == 1 + SAVED_PIECES
    assert isinstance(others[-1][-1], Snapshotted)


async def test_pieces_are_made_in_the_journals_thread_as_they_are_written() -> None:
    journal = GatedJournal()
    made: list[threading.Thread] = []

    def pieces() -> Iterator[bytes]:
        for number in range(20):
            made.append(threading.current_thread())
            yield b"%d" % number

    async with open_storage(journal) as storage, trio.open_nursery() as nursery:
        nursery.start_soon(storage.save, 7, pieces())
        await journal.write_begun()
        assert len(made) == SAVED_PIECES
        journal.let_go(99)
    assert set(made) == journal.threads
    assert b"".join(pieces_of(journal, journal.snapshots[0])) == b"".join(
        b"%d" % number for number in range(20)
    )


async def test_error_of_a_state_machine_ends_its_snapshot_and_nothing_else() -> None:
    journal = ThreadedJournal()

    def pieces() -> Iterator[bytes]:
        yield from [b"x"] * 10
        raise ZeroDivisionError

    async with open_storage(journal) as storage:
        with pytest.raises(ZeroDivisionError):
            await storage.save(7, pieces())
        await storage.persist([FIRST])
        saved = await storage.save(8, [b"y"])
    assert journal.snapshots == (saved,)
    assert next(iter(journal.recover())) == FIRST


async def test_failed_journal_fails_the_snapshot() -> None:
    journal = ThreadedJournal()
    journal.fail("the disk is full")
    async with open_storage(journal) as storage:
        with pytest.raises(JournalError, match="the disk is full"):
            await storage.save(7, [b"x"] * 50)


async def test_two_snapshots_that_are_saved_at_once_are_not_mixed() -> None:
    journal = ThreadedJournal()
    journal.write([Learned(slot, None, "x") for slot in range(9)])
    async with open_storage(journal) as storage, trio.open_nursery() as nursery:
        for position in (7, 8):
            nursery.start_soon(storage.save, position, [b"%d" % position] * 9)
    newest = journal.snapshots[-1]
    assert newest.position == 8
    assert list(pieces_of(journal, newest)) == [b"8"] * 9


async def test_load_sees_pieces_that_were_to_be_written_later() -> None:
    journal = ThreadedJournal()
    *pieces, whole = snapshot_records(7, [b"a", b"b"])
    assert isinstance(whole, Snapshotted)
    async with open_storage(journal) as storage:
        await storage.persist_later(pieces)
        assert await storage.load(whole, b"".join) == b"ab"
        assert await storage.read_pieces(7, 1, 9) == [b"b"]


async def test_load_of_what_is_not_whole_is_an_error() -> None:
    journal = ThreadedJournal()
    first, _, whole = snapshot_records(7, [b"a", b"b"])
    assert isinstance(whole, Snapshotted)
    async with open_storage(journal) as storage:
        await storage.persist([first, SECOND])
        with pytest.raises(JournalCorrupt, match="not whole"):
            await storage.load(whole, b"".join)
