"""Opens a journal for the tasks of a node: a thread writes it, or the loop where that is free."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio

from paxos.forks import Native
from paxos.journal import Journal
from paxos.journal.snapshots import pieces_of, snapshot_records
from paxos.node.storage import Storage, T
from paxos.node.storage_thread import ThreadStorage
from paxos.protocol.records import Record, Snapshotted
from paxos.protocol.values import Value

QUICK_SECONDS: Final = 0.0005
"""A disk that can sync within this time is quick: a switch to the thread and back costs as much."""


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
    storage = ThreadStorage(journal, quick=quick)
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
