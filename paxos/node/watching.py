"""What an application can watch: who leads, and what was decided.

These are iterators and not generators, so a loop over one may simply be left: there is nothing
that would have to be closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

from paxos.errors import LogCompacted
from paxos.journal import Journal
from paxos.node.storage import Storage
from paxos.protocol.learner import Learner
from paxos.protocol.values import Value
from paxos.replicated.sessions import Sessions
from paxos.replicated.values import Batch, Leadership
from paxos.wire import read_snapshot

READ_SLOTS = 256
"""How many slots are read from the journal at once."""

READ_BYTES = 1 << 20
"""How many bytes of values."""


class View:
    """What a node believed at one time about who leads, and what it believed next."""

    def __init__(self, leadership: Leadership | None) -> None:
        self.leadership = leadership
        self.next: View | None = None
        self.changed = trio.Event()


class Leaderships:
    """Yields what a node believes, and then every change of it; never ends."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._started = False

    def __aiter__(self) -> Leaderships:
        """Return itself."""
        return self

    async def __anext__(self) -> Leadership | None:
        """Wait for the next change; the first comes at once."""
        if self._started:
            await self._view.changed.wait()
            assert self._view.next is not None
            self._view = self._view.next
        else:
            await trio.lowlevel.checkpoint()
            self._started = True
        return self._view.leadership


class Growth:
    """Wakes those who wait for the log to grow; it calls ``begun`` when one begins to wait."""

    def __init__(self, begun: Callable[[], None] = lambda: None) -> None:
        self._begun = begun
        self._grown: trio.Event | None = None
        """Made by the first who waits: nobody does, mostly."""

    @property
    def awaited(self) -> bool:
        """Whether anybody waits, or did since the log last grew."""
        return self._grown is not None

    def tell(self) -> None:
        """Say that a slot took effect."""
        if self._grown is not None:
            self._grown.set()
            self._grown = None

    async def wait(self) -> None:
        """Return when the next slot has taken effect."""
        if self._grown is None:
            self._grown = trio.Event()
            self._begun()
        await self._grown.wait()


class Decisions:
    """Yields slot and command of what was applied, from slot ``first`` on; never ends.

    It reads the journal from the snapshot before, or from its beginning, since only that tells
    which commands are repetitions.
    """

    def __init__(
        self, journal: Journal, storage: Storage, learner: Learner, growth: Growth, first: int
    ) -> None:
        self._journal = journal
        self._storage = storage
        self._learner = learner
        self._growth = growth
        self._first = first
        self._slot = -1
        self._sessions = Sessions()
        self._ready: deque[tuple[int, bytes]] = deque()

    def __aiter__(self) -> Decisions:
        """Return itself."""
        return self

    async def __anext__(self) -> tuple[int, bytes]:
        """Wait for the next command.

        Raises:
            LogCompacted: What would come next is no longer in the log.
            JournalError: The journal has failed, now or earlier, or cannot be read.

        """
        await trio.lowlevel.checkpoint()
        if self._slot < 0:
            self._slot = await self._start()
        while not self._ready:
            while self._slot >= self._learner.frontier:
                await self._growth.wait()
            last = self._slot + READ_SLOTS - 1
            rows = await self._storage.read(self._slot, last, READ_BYTES)
            if not rows:  # the journal writes lazily what is learned; it raises if it has failed
                await self._storage.persist(())
            for slot, value in rows:
                self._take(slot, value)
        return self._ready.popleft()

    async def _start(self) -> int:
        """Return where to begin, with the sessions as they were there."""
        if self._first < self._journal.first:
            raise LogCompacted(self._first, self._journal.first)
        before = [one for one in self._journal.snapshots if one.position <= self._first]
        if not before:
            return 0
        snapshot = await self._storage.load(before[-1], read_snapshot)
        self._sessions = Sessions.restored(snapshot.sessions)
        return snapshot.position

    def _take(self, slot: int, value: Value) -> None:
        self._slot = slot + 1
        for command in value.commands if isinstance(value, Batch) else ():
            if self._sessions.first_time(command):
                self._sessions.keep(command, slot, b"")
                if slot >= self._first and isinstance(command.data, bytes):
                    self._ready.append((slot, command.data))
