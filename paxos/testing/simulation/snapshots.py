"""What a simulated node does with snapshots: as the Trio node does, on virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from paxos.journal import Journal, JournalCorrupt, JournalError
from paxos.journal.snapshots import pieces_of, snapshot_records
from paxos.protocol.records import Snapshotted
from paxos.replicated.messages import OwnMessage
from paxos.replicated.snapshot import Snapshot
from paxos.replicated.snapshot_messages import (
    FetchPieces,
    LoadSnapshot,
    SaveSnapshot,
    SnapshotLoaded,
    SnapshotOffered,
    SnapshotPiece,
    SnapshotSaved,
    SupplyPieces,
)
from paxos.wire import Malformed, read_snapshot, write_snapshot

if TYPE_CHECKING:
    from paxos.testing.simulation.engine import Engine
    from paxos.testing.simulation.simulation import Simulation

TURN = 0.00002


def read_journal(journal: Journal, snapshot: Snapshotted) -> Snapshot:
    """Return a snapshot that is in the journal; raise `JournalCorrupt` if it is not whole."""
    try:
        read = read_snapshot(pieces_of(journal, snapshot))
    except Malformed as error:
        raise JournalCorrupt(str(error)) from error
    return evolve(read, machine=tuple(read.machine))


class Snapshots:
    """Saves, loads and supplies; each sync takes its time, and the node may crash in between."""

    def __init__(self, process: Engine, simulation: Simulation) -> None:
        self._process = process
        self._simulation = simulation

    def carry_out(self, effect: SaveSnapshot | LoadSnapshot | SupplyPieces) -> None:
        """Do what the learner wants, after its turn."""
        match effect:
            case SaveSnapshot(snapshot):
                self._soon(self._save, snapshot)
            case LoadSnapshot(fetched):
                self._soon(self._load, fetched)
            case SupplyPieces(target, request):
                self._supply(target, request)

    def offer(self, target: str) -> None:
        """Offer the newest snapshot in place of slots or pieces that are gone."""
        for newest in self._process.disk.journal.snapshots[-1:]:
            offered = SnapshotOffered(newest.position, newest.length, newest.digest)
            self._process.send(target, offered)

    def _soon(self, step: object, *arguments: object) -> None:
        process = self._process
        self._simulation.world.after(TURN, process.guarded, process.life, step, *arguments)

    def _save(self, snapshot: Snapshot) -> None:
        """Write record after record, each with a sync of its own."""
        records = list(snapshot_records(snapshot.position, write_snapshot(snapshot)))
        for record in records[:-1]:
            self._process.disk.persist([record], lambda error: None)
        saved = records[-1]
        assert isinstance(saved, Snapshotted)

        def durable(error: JournalError | None) -> None:
            self._simulation.injected["snapshot"] += 1
            self._tell(error, SnapshotSaved(saved))

        self._process.disk.persist([saved], durable)

    def _load(self, fetched: Snapshotted) -> None:
        """Look at what was fetched, when it is on the disk."""

        def durable(error: JournalError | None) -> None:
            try:
                snapshot: Snapshot | None = read_journal(self._process.disk.journal, fetched)
            except JournalError:
                snapshot = None
            self._tell(error, SnapshotLoaded(fetched, snapshot))

        self._process.disk.persist([], durable)

    def _tell(self, error: JournalError | None, message: OwnMessage) -> None:
        if error is not None:
            self._process.roles.fail(str(error))
            return
        self._soon(self._process.put, "learner", self._process.name, message)

    def _supply(self, target: str, request: FetchPieces) -> None:
        journal = self._process.disk.journal
        if request.digest not in {snapshot.digest for snapshot in journal.snapshots}:
            self.offer(target)
            return
        for index in request.indices:
            try:
                pieces = journal.read_pieces(request.position, index, 1)
            except JournalError:  # damaged, or closed after a failure
                return
            for piece in pieces:
                self._process.send(target, SnapshotPiece(request.digest, index, piece))
