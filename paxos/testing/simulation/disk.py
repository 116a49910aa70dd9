"""A disk that keeps what was synced, and of the rest whatever a power cut happens to leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

from paxos.journal import Journal, JournalError
from paxos.protocol.records import Doubted, Readmitted, Record, Snapshotted
from paxos.testing.checkers import Memory, Violation
from paxos.testing.checkers.memory import Durable
from paxos.testing.simulation.media import Medium
from paxos.testing.simulation.snapshots import read_journal
from paxos.testing.simulation.world import World
from paxos.testing.words import record_in_words

SYNC = (0.0002, 0.002)
"""How long a sync takes, in seconds."""

LATER = 0.5
"""How long a lazily written record waits for company, in seconds, as in the node."""

AUDITED_EVERY = 150
"""After so many writes all that is in a journal is read; a snapshot counts as four."""

Done = Callable[[JournalError | None], None]
Request = tuple[list[Record], Done]


class Disk:
    """One node's journal and the time that it takes; it outlives the node's crashes.

    What gathers during one sync is written as one transaction in the next, as in the node.
    """

    def __init__(
        self,
        world: World,
        name: str,
        medium: Medium,
        durable: Callable[[list[Record]], None],
        injected: Counter[str],
        memory: Memory,
    ) -> None:
        self.journal: Journal
        self.medium = medium
        self.slowness = 1.0
        """By what a sync takes longer than usual."""
        self.trouble = ""
        """Why writes fail, as on a full or broken disk; empty when they do not."""
        self.once = False
        """Whether only the first write fails."""
        self.spoilt = False
        """Whether what is stored was ever changed by another than the node."""
        self.touched = False
        """Whether that happened since the last opening."""
        self.replaced = False
        """Whether that concerns all there is, so that nothing on the disk tells of it."""
        self.noticed: Callable[[], bool] = lambda: False
        """Whether the other nodes know better than a disk that was replaced."""
        self._name, self._world = name, world
        self._report, self._injected = durable, injected
        self._random: Random = world.random(f"disk {name}")
        self._memory, self._boot = memory, 0
        self._mark = (0, 0)
        """What the journal said of itself after its last write."""
        self._unaudited = 0
        self._forgetful = 0
        """The identity of the journal before it was readmitted in this life; 0 if it was not."""
        self._boots: set[int] = set()
        """Those of all lives."""
        self.failed = False
        """Whether a write has failed in this life of the node."""
        self._unsynced: list[Record] = []
        """What that should have made durable, if it is in the kernel's memory alone."""
        self._later: list[Record] = []
        self._gathered: list[Request] = []
        self._writing: list[Request] = []
        self._generation = 0

    def open(self) -> list[Record]:
        """Open the journal for the next life of the node; return what it gives back.

        Raises:
            JournalError: The node must not start with it.

        """
        try:
            records = self._read()
        except JournalError as error:
            if not self.spoilt:
                kind = type(error).__name__
                raise Violation(f"{self._name} cannot open an intact journal: {kind}") from error
            self.medium.close()
            self.medium.wipe(whole=False)  # as a node sets a damaged journal aside
            self.touched = True
            records = self._read()
        self._recognise(records)
        if self.journal.boot in self._boots:
            raise Violation(f"{self._name} takes the boot of an earlier life, {self.journal.boot}")
        self._boot = self.journal.boot
        self._boots.add(self._boot)
        if not self.touched:
            self._see_that_it_counts()
        self._mark = self.journal.mark
        self.touched = self.failed = False
        self._forgetful = 0
        return records

    def _read(self) -> list[Record]:
        """Read all that the next life needs, as a node does before it says anything."""
        self.journal = self.medium.open()
        records = list(self.journal.recover())
        for record in records:
            if isinstance(record, Snapshotted):
                read_journal(self.journal, record)
        return records

    def _recognise(self, records: list[Record]) -> None:
        """Tell what the journal has forgotten, if it was spoilt; it must not invent anything.

        It must know that itself, except where the whole disk was replaced, or a power cut has left
        an old witness, too. Then the others know; and where they cannot, since they heard nothing
        of the node in the meantime, or are down, nothing is promised: the node stays down.
        """
        durable = self._memory.nodes.setdefault(self._name, Durable())
        whole = records == durable.records() and self.journal.boot > self._boot
        for record in records:
            if not durable.explains(record):
                raise Violation(f"the journal of {self._name} invents {record_in_words(record)}")
        doubt = bool(self.journal.doubt)
        witnessed = self.medium.witnessed and durable.forgot is None  # else it saw what is left
        if doubt:
            if not (self.touched or durable.noticed):
                raise Violation(f"{self._name} doubts an intact journal: {self.journal.doubt}")
        elif durable.noticed and not (self.touched and self.replaced):
            raise Violation(f"the journal of {self._name} has forgotten its doubt")
        elif whole and durable.forgot is None:
            return
        elif not self.spoilt or (witnessed and not self.replaced):
            raise Violation(f"the journal of {self._name} has forgotten what was durable")
        elif not self.noticed():
            self.medium.crash()
            self.replaced = True  # the witness has seen what is left
            raise JournalError("all that is on the disk has gone back, and nobody knows")
        self._memory.forgotten(self._name, records, noticed=doubt)

    def persist(self, records: list[Record], done: Done) -> None:
        """Write and sync, after what is being written; call ``done`` when it is durable, or not."""
        self._gathered.append(([*self._later, *records], done))
        self._later = []
        if not self._writing:
            self._begin()

    def persist_later(self, records: list[Record]) -> None:
        """Write the records with the next ones, or a little later."""
        if not self._later:
            self._world.after(LATER, partial(self._flush, self._generation))
        self._later += records

    def crash(self) -> None:
        """Lose what was not synced; a transaction under way may have been, but only as a whole."""
        records = [record for request, _ in self._writing for record in request]
        lost = bool(self._later or self._gathered)
        intact = records and not self.trouble and not self.failed
        match self._random.randrange(3) if intact else None:
            case 0:
                self._write(records)
                self.medium.crash()
            case 1 if self.medium.crash_in_write(records):
                self._became_durable(records)
            case 1:
                self._injected["torn_write" if self.medium.tears else "lost_write"] += 1
            case _:
                lost = lost or bool(records)
                self.medium.crash()
        self._injected["lost_write"] += lost
        if self._unsynced:
            self._injected["lost_pages"] += 1
            if self.medium.keeps_cached:  # so the next life reads it, and counts on it
                self._became_durable(self._unsynced)
            self._unsynced = []
        self._writing, self._gathered, self._later = [], [], []
        self._generation += 1

    def _flush(self, generation: int) -> None:
        if generation == self._generation and self._later:
            self.persist([], lambda error: None)

    def _begin(self) -> None:
        self._writing, self._gathered = self._gathered, []
        delay = self._random.uniform(*SYNC) * self.slowness
        self._world.after(delay, self._synced, self._generation)

    def _synced(self, generation: int) -> None:
        if generation != self._generation:
            return
        error = self._write([record for records, _ in self._writing for record in records])
        requests, self._writing = self._writing, []
        for _, done in requests:
            done(error)
        if self._gathered and not self._writing:
            self._begin()

    def _write(self, records: list[Record]) -> JournalError | None:
        durable, error = self.medium.write(records, self.trouble)
        if error is None and self.failed:
            raise Violation(f"the journal of {self._name} writes on after a failed sync")
        if self.trouble:
            self.failed = True
            if self.once:
                self.trouble, self.once = "", False
        elif error is not None and not self.failed and not self.spoilt:
            raise Violation(f"the journal of {self._name} cannot write: {type(error).__name__}")
        if durable:
            self._became_durable(records)
        elif self.medium.cached:
            self._unsynced = records
        if error is None:
            self._see_that_it_counts()
            self._audit_now_and_then(records)
            if self._mark[0] == self._forgetful:
                raise Violation(f"the journal of {self._name} is taken for the one that forgot")
        return error

    def _see_that_it_counts(self) -> None:
        """See that the journal says of itself what was written to it.

        By that it is known to others, so they know when it has gone back.
        """
        frontier = self._memory.nodes[self._name].frontier
        if self.journal.frontier != frontier:
            raise Violation(
                f"the journal of {self._name} has {frontier} slots and says {self.journal.frontier}"
            )
        (identity, before), (now, writes) = self._mark, self.journal.mark
        if identity == now and writes <= before:
            raise Violation(f"the journal of {self._name} had {before} writes and says {writes}")
        self._mark = self.journal.mark

    def _audit_now_and_then(self, records: list[Record]) -> None:
        """Ask the journal for all that it holds, as the next life would; after a snapshot, often.

        What it lets go at a wrong moment is missed only by who asks before it is written again.
        """
        self._unaudited += 4 if any(isinstance(record, Snapshotted) for record in records) else 1
        if self._unaudited >= AUDITED_EVERY and not self.spoilt:
            self._unaudited = 0
            self._memory.recovered(self._name, self.medium.next_life())

    def _became_durable(self, records: list[Record]) -> None:
        self._report(records)
        if any(isinstance(record, Readmitted) for record in records):
            self._injected["readmission"] += 1
            self.replaced = False
            self._forgetful = self._mark[0]
        if not self.spoilt and any(isinstance(record, Doubted) for record in records):
            raise Violation(f"{self._name} doubts an intact journal")
