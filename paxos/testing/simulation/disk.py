"""A disk that keeps what was synced, and of the rest whatever a power cut happens to leave."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from paxos.journal import JournalCorrupt, JournalError, MemoryJournal
from paxos.protocol.records import Record
from paxos.testing.simulation.world import World

SYNC = (0.0002, 0.002)
"""How long a sync takes, in seconds."""

LATER = 0.5
"""How long a lazily written record waits for company, in seconds, as in the node."""

Done = Callable[[JournalError | None], None]


class Disk:
    """One node's journal and the time that it takes; it outlives the node's crashes."""

    def __init__(self, world: World, name: str, durable: Callable[[list[Record]], None]) -> None:
        self._world = world
        self._durable = durable
        self._random = world.random(f"disk {name}")
        self.journal = MemoryJournal()
        self.slowness = 1.0
        """By what a sync takes longer than usual."""
        self.failing = False
        """Whether writes fail, as on a full or broken disk."""
        self.corrupt = False
        """Whether a bit was flipped in what is stored."""
        self._later: list[Record] = []
        self._syncing: list[tuple[list[Record], Done]] = []
        self._generation = 0

    def open(self) -> MemoryJournal:
        """Return the journal for the next life of the node; raise if a checksum is wrong."""
        if self.corrupt:
            raise JournalCorrupt("a record's checksum is wrong")
        self.journal = self.journal.reopened()
        return self.journal

    def persist(self, records: list[Record], done: Done) -> None:
        """Write and sync, after what is being written; call ``done`` when it is durable, or not."""
        self._syncing.append(([*self._later, *records], done))
        self._later = []
        delay = self._random.uniform(*SYNC) * self.slowness
        self._world.after(delay, self._synced, self._generation)

    def persist_later(self, records: list[Record]) -> None:
        """Write the records with the next ones, or a little later."""
        if not self._later:
            flush = partial(self._flush, self._generation)
            self._world.after(LATER, flush)
        self._later += records

    def crash(self) -> None:
        """Lose what was not synced; a transaction under way may have been, but only as a whole."""
        survivors = self._random.randint(0, len(self._syncing))
        for records, _ in self._syncing[:survivors]:
            if not self.failing:
                self._write(records)
        self._syncing.clear()
        self._later.clear()
        self._generation += 1

    def _flush(self, generation: int) -> None:
        if generation == self._generation and self._later:
            self.persist([], lambda error: None)

    def _synced(self, generation: int) -> None:
        if generation != self._generation:
            return
        records, done = self._syncing.pop(0)
        error: JournalError | None = None
        if self.failing:
            self.journal.fail("the disk is full, or broken")
        try:
            self._write(records)
        except JournalError as failure:
            error = failure
        done(error)

    def _write(self, records: list[Record]) -> None:
        self.journal.write(records)
        self._durable(records)
