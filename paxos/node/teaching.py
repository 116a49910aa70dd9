"""Answers laggards: with slots of the log, or with pieces of the snapshot that took their place."""

from __future__ import annotations

import trio

from paxos.errors import LogCompacted
from paxos.journal import Journal, JournalError
from paxos.node.post import Post
from paxos.node.rations import Rations
from paxos.node.storage import Storage
from paxos.protocol.effects import Supply
from paxos.protocol.learner import Learner
from paxos.protocol.messages import Teach
from paxos.protocol.values import Value
from paxos.replicated.snapshot_messages import (
    FetchPieces,
    SnapshotOffered,
    SnapshotPiece,
    SupplyPieces,
)

SUPPLY_BYTES = 256 << 10
"""The most bytes of values that answer one request of a laggard."""

SUPPLY_SLOTS = 8
"""How many slots answer one request from memory; each may hold a large batch."""

SUPPLY_BOUND = 64
"""How many requests of laggards wait; more are dropped, and the laggards ask again."""

PIECES_AT_ONCE = 4
"""How many pieces are read and sent at once; the living traffic goes on between them."""


class Teacher:
    """One task that serves all laggards in turn, a little at a time."""

    def __init__(self, journal: Journal, storage: Storage, post: Post, learner: Learner) -> None:
        self._journal = journal
        self._storage = storage
        self._post = post
        self._learner = learner
        self._rations = Rations()
        self._ask, self._asked = trio.open_memory_channel[Supply | SupplyPieces](SUPPLY_BOUND)
        self.dropped = 0
        """Requests for which there was no room."""
        self.refused = 0
        """Requests that no honest laggard makes so soon, or so many of."""
        self.pieces_sent = 0

    def ask(self, request: Supply | SupplyPieces) -> None:
        """Let a laggard be served, as soon as it is its turn."""
        if not self._rations.grant(request, trio.current_time()):
            self.refused += 1
            return
        try:
            self._ask.send_nowait(request)
        except trio.WouldBlock:
            self._rations.begin(request)
            self.dropped += 1

    async def run(self) -> None:
        """Serve until cancelled."""
        async for request in self._asked:
            self._rations.begin(request)
            try:
                if isinstance(request, Supply):
                    await self._teach(request)
                else:
                    await self._send_pieces(request.target, request.request)
            except LogCompacted:
                self._offer(request.target)
            except JournalError:
                continue  # the laggard asks others, too; that the journal fails, its writers tell

    async def _teach(self, supply: Supply) -> None:
        """Teach slots, from memory where they are recent, else from the journal.

        Who misses all that is kept gets the snapshot: that is shorter, and ready to use.
        """
        values = self._retained(supply)
        if not values and supply.first <= self._journal.first and self._journal.snapshots:
            self._offer(supply.target)
            return
        if not values:
            values = await self._storage.read(supply.first, supply.last, SUPPLY_BYTES)
        if not values:
            return
        last, frontier = values[-1][0], self._learner.frontier
        for slot, value in values:
            self._post.send((supply.target,), Teach(slot, value, last, frontier))
        self._post.flush()

    def _retained(self, supply: Supply) -> list[tuple[int, Value]]:
        retained = self._learner.retained
        if supply.first not in retained:
            return []
        slots = range(supply.first, min(supply.last + 1, supply.first + SUPPLY_SLOTS))
        return [(slot, retained[slot]) for slot in slots if slot in retained]

    def _offer(self, target: str) -> None:
        """Offer the newest snapshot in place of what is gone."""
        for newest in self._journal.snapshots[-1:]:
            offer = SnapshotOffered(newest.position, newest.length, newest.digest)
            self._post.send((target,), offer)
            self._post.flush()

    async def _send_pieces(self, target: str, request: FetchPieces) -> None:
        digests = {snapshot.digest for snapshot in self._journal.snapshots}
        if request.digest not in digests:
            self._offer(target)
            return
        indices = sorted(set(request.indices))
        while indices:
            first = indices[0]
            run = [i for at, i in enumerate(indices[:PIECES_AT_ONCE], first) if i == at]
            del indices[: len(run)]
            pieces = await self._storage.read_pieces(request.position, first, len(run))
            for index, piece in enumerate(pieces, first):
                self._post.send((target,), SnapshotPiece(request.digest, index, piece))
            self.pieces_sent += len(pieces)
            self._post.flush()
