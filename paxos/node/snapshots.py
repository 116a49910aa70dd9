"""Moves snapshots between a node's state and its journal, beside everything else that it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import trio
from attrs import evolve

from paxos.journal import Journal, JournalCorrupt, JournalError
from paxos.journal.snapshots import pieces_of
from paxos.node.post import Post
from paxos.node.storage import Storage
from paxos.protocol.records import Snapshotted
from paxos.replicated.snapshot import Snapshot
from paxos.replicated.snapshot_messages import (
    LoadSnapshot,
    SaveSnapshot,
    SnapshotLoaded,
    SnapshotSaved,
)
from paxos.wire import Malformed, read_snapshot, write_snapshot


class SnapshotKeeper:
    """One task that saves snapshots of this node and looks at those that it fetched.

    The learner wants one thing at a time, so nothing gathers here.
    """

    def __init__(
        self,
        name: str,
        storage: Storage,
        post: Post,
        tell: Callable[[Snapshotted], None],
        fail: Callable[[JournalError], None],
    ) -> None:
        self._name = name
        self._storage = storage
        self._post = post
        self._tell = tell
        self._fail = fail
        self._ask, self._asked = trio.open_memory_channel[SaveSnapshot | LoadSnapshot](2)
        self.saved = 0
        self.loaded = 0
        self.refused = 0
        """Fetched snapshots that were not whole."""

    def ask(self, request: SaveSnapshot | LoadSnapshot) -> None:
        """Let a snapshot be saved or loaded."""
        self._ask.send_nowait(request)

    async def run(self) -> None:
        """Save and load until cancelled."""
        async for request in self._asked:
            try:
                if isinstance(request, SaveSnapshot):
                    await self._save(request.snapshot)
                else:
                    await self._load(request.fetched)
            except JournalError as error:
                self._fail(error)

    async def _save(self, snapshot: Snapshot) -> None:
        await self._storage.persist(())  # the log comes first, all of it
        record = await self._storage.save(snapshot.position, write_snapshot(snapshot))
        self.saved += 1
        self._post.deliver(self._name, SnapshotSaved(record))
        self._tell(record)

    async def _load(self, fetched: Snapshotted) -> None:
        snapshot = None
        try:
            snapshot = await self._storage.load(fetched, _read_whole)
            self.loaded += 1
        except JournalCorrupt:
            self.refused += 1
        self._post.deliver(self._name, SnapshotLoaded(fetched, snapshot))


def load_snapshot(journal: Journal, snapshot: Snapshotted) -> Snapshot:
    """Return a snapshot that the journal holds; the machine's part is read as it is restored.

    Raises `JournalCorrupt` where the pieces are no snapshot.
    """
    return _read(pieces_of(journal, snapshot))


def _read(pieces: Iterator[bytes]) -> Snapshot:
    try:
        return read_snapshot(pieces)
    except Malformed as error:
        raise JournalCorrupt(f"a snapshot in the journal cannot be read: {error}") from error


def _read_whole(pieces: Iterator[bytes]) -> Snapshot:
    snapshot = _read(pieces)
    return evolve(snapshot, machine=tuple(snapshot.machine))
