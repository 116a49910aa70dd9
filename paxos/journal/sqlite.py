"""The durable journal: one SQLite file, which anybody can open and look at."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from attrs import evolve

from paxos.errors import LogCompacted
from paxos.forks import Private
from paxos.journal.base import JournalError, highest_begun, highest_promised
from paxos.journal.beginning import (
    check_place,
    first_facts,
    next_boot,
    parse_ballot,
    parse_mark,
)
from paxos.journal.compaction import Compaction
from paxos.journal.explaining import SQLITE_ERRORS, damaged, explained
from paxos.journal.lock import JournalLock
from paxos.journal.open_votes import OpenVotes
from paxos.journal.reading import JournalReader
from paxos.journal.tables import (
    Row,
    checksum,
    connect,
    create_file,
    create_tables,
    empty_log,
    is_new,
    keep_for_ever,
    make_durable,
    misplaced,
    read_about,
    sync_directory,
    update_about,
)
from paxos.journal.witness import Witness, doubt
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import (
    Begun,
    Doubted,
    Learned,
    Piece,
    Promised,
    Readmitted,
    Record,
    Snapshotted,
    Voted,
)
from paxos.protocol.values import Value

_PUT_VOTE = "INSERT OR REPLACE INTO votes VALUES (?, ?, ?, ?, ?, ?)"


class SqliteJournal(Private):
    """A `Journal` in the SQLite file ``path``, which is made if there is none.

    While it is open, readers are welcome and other nodes' lives are locked out. In this process
    nobody else may open and close the file by hand: that would drop SQLite's locks on it.

    Args:
        path: The file; SQLite keeps two more beside it, and lock and witness are two others.
        cluster: The name of the cluster, which the file must bear, too.
        node: The name of the node, likewise.
        encode: Returns the bytes of a value.
        decode: Returns the value again; raises ValueError for bytes that are none.
        connection: The class of connections to SQLite; the simulator has one that fails.
        wall_clock: Returns seconds since 1970: boots follow it, see `Journal.boot`.
        random_bits: Returns a random number of so many bits, for identities and boots.

    Raises:
        JournalCorrupt: What the file says about itself is damaged.
        JournalError: The journal cannot be opened, for the reason given.

    """

    inline = False
    page_bytes: ClassVar[int] = 1 << 20
    """How much of the log `recover` reads at once."""
    page_votes: ClassVar[int] = 64
    """How many votes."""
    witness_type: ClassVar[type[Witness]] = Witness
    """The simulator has one that tells when it is synced."""
    doubt: str
    """Why this journal may have forgotten something; empty when it has not. It must not vote."""
    mark: tuple[int, int]

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        cluster: str,
        node: str,
        encode: Callable[[Value], bytes],
        decode: Callable[[bytes], Value],
        connection: type[sqlite3.Connection] = sqlite3.Connection,
        wall_clock: Callable[[], float] = time.time,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self.path = Path(os.path.realpath(path))  # one file, one lock, whatever links lead to it
        self._encode = encode
        self._wall_clock, self._random_bits = wall_clock, random_bits
        self._failure: str | None = None
        self._writing = threading.Lock()
        with contextlib.ExitStack() as opened, explained(self.path, "cannot be opened"):
            check_place(self.path)
            self._lock = JournalLock(self.path)
            opened.callback(self._lock.close)
            self._witness = self.witness_type(self.path)
            opened.callback(self._witness.close)
            create_file(self.path)
            self._writer = connect(self.path, "rw", connection)
            opened.callback(self._writer.close)
            self._begin_life(cluster, node)
            self._reader = JournalReader(self.path, decode, connection)
            opened.pop_all()
        super().__init__()  # now there is something to let go of
        self.locks = self._reader.lock, self._writing

    def _begin_life(self, cluster: str, node: str) -> None:
        """Read what the journal says about itself, and count this life durably."""
        db = self._writer
        new = is_new(db, self.path)
        make_durable(db, self.path)
        empty_log(db, self.path)
        self._check_pages()
        db.execute("BEGIN IMMEDIATE")
        if new:
            create_tables(db, first_facts(cluster, node, self._draw_identity()))
        facts = read_about(db, self.path, cluster, node)
        try:
            self.boot = next_boot(int(str(facts["boot"])), self._wall_clock, self._random_bits)
            self.frontier = int(str(facts["frontier"]))
            self._compaction = Compaction(db, self.path, int(str(facts["first"])))
            self._compaction.check(self.frontier)
            self._begun = parse_ballot(str(facts["begun"]))
            self._promised = parse_ballot(str(facts["promised"]))
            self._mark, open_crc = parse_mark(str(facts["identity"]), str(facts["writes"]))
            self.doubt = str(facts["doubt"])
        except ValueError as error:
            raise damaged(self.path, f"about says what nobody wrote: {error}") from None
        self._open = OpenVotes(db, self.path, self.frontier, open_crc)
        if not self.doubt:
            self.doubt = doubt(None if new else self._mark, self._witness)
            if self.doubt:  # durably: the witness is told the journal's new mark below
                update_about(db, "doubt", self.doubt)
        update_about(db, "boot", self.boot)
        self._count_write((self.boot,), self.frontier)
        db.execute("COMMIT")
        self._tell_witness()
        self._witness.sync()
        sync_directory(self.path.parent)  # the names of all these files

    def _check_pages(self) -> None:
        """See that SQLite will not come upon a damaged page in a later write.

        That write would be the last of this life, and of the next ones, too: nobody would set the
        journal aside. It takes about 15 ms for 70 MB.
        """
        findings = misplaced(self._writer)
        if findings:
            raise damaged(self.path, findings[0])

    def _draw_identity(self) -> int:
        return self._random_bits(62) + 1

    def _count_write(self, crcs: tuple[int, ...], frontier: int) -> None:
        """Count a transaction, in the same transaction, and note what is learned with it."""
        self._mark = mark = self._mark.next(crcs)
        text = f"{frontier} {mark.writes} {mark.chain:08x} {self._open.crc:08x}"
        update_about(self._writer, "progress", text)

    def _tell_witness(self) -> None:
        """Let everybody know of the transaction; only once it is durable."""
        self._witness.note(self._mark)
        self.mark = (self._mark.identity, self._mark.writes)

    @property
    def first(self) -> int:
        """See `Journal.first`."""
        return self._compaction.first

    @property
    def snapshots(self) -> tuple[Snapshotted, ...]:
        """See `Journal.snapshots`."""
        return self._compaction.snapshots

    def write(self, records: Sequence[Record]) -> None:
        """See `Journal.write`."""
        with self._writing:
            self._write(records)

    def _write(self, records: Sequence[Record]) -> None:
        if self._failure is not None:
            raise JournalError(self._failure)
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            frontier, crcs = self._put(records)
            begun = self._raise_about("begun", self._begun, highest_begun(records, self._begun))
            promised = self._raise_about(
                "promised", self._promised, highest_promised(records, self._promised)
            )
            self._count_write((*crcs, begun.number, promised.number, frontier), frontier)
            if self._mark.identity != self.mark[0]:
                # Before the journal is trusted again: a power cut must not leave it beside what
                # the witness saw of the journal that it was.
                self._witness.note(self._mark)
                self._witness.sync()
            self._writer.execute("COMMIT")
            self._tell_witness()
        except (*SQLITE_ERRORS, OSError) as error:
            # The kernel may have thrown away what it could not write and call the next sync a
            # success. So there is no next one, and no rollback: only another life may write.
            self._failure = (
                f"journal {self.path} could not be written: {error}; this is final, "
                "the node votes no more: see to the disk, then restart the node"
            )
            raise JournalError(self._failure) from error
        except BaseException as error:
            self._failure = f"journal {self.path} was given what it cannot write: {error!r}"
            raise
        self.frontier, self._begun, self._promised = frontier, begun, promised

    def _put(self, records: Sequence[Record]) -> tuple[int, list[int]]:
        """Store all but ballots; return the new frontier, and the rows' checksums."""
        votes: list[Row] = []
        pieces: list[Piece] = []
        others: list[Record] = []
        for record in records:
            if isinstance(record, Voted):
                # In a learned slot it is kept as a promise alone: nobody will ask for its value.
                if record.slot >= self.frontier:
                    votes.append(self._vote_row(record))
            elif isinstance(record, Piece):
                pieces.append(record)
            else:
                others.append(record)
        if votes:
            self._writer.executemany(_PUT_VOTE, votes)
        crcs = [row[-1] for row in votes]
        if pieces:
            crcs += self._compaction.put(pieces)
        frontier = self.frontier
        for record in others:
            if isinstance(record, Learned):
                if record.slot >= frontier:
                    assert record.slot == frontier, "the log has no gaps"
                    self._put_learned(record, crcs)
                    frontier += 1
            elif isinstance(record, Snapshotted):
                frontier = self._compact(record, frontier)
            elif isinstance(record, Doubted):
                update_about(self._writer, "doubt", record.why)
            elif isinstance(record, Readmitted):
                self._mark = evolve(self._mark, identity=self._draw_identity())
                update_about(self._writer, "doubt", "")
                update_about(self._writer, "identity", f"{self._mark.identity:016x}")
        self._compaction.delete_some(len(records))
        return frontier, crcs

    def _put_learned(self, learned: Learned, crcs: list[int]) -> None:
        """Store the value of a slot, unless the vote there has it."""
        slot = learned.slot
        ballot = self._open.take(slot)
        if learned.ballot is None or ballot < learned.ballot:
            note, value = str(learned.value), self._encode(learned.value)
            crc = checksum(value, "chosen", slot, note)
            crcs.append(crc)
            self._writer.execute("INSERT INTO chosen VALUES (?, ?, ?, ?)", (slot, note, value, crc))
            # One place for each slot's value: else the loss of one row would show another.
            if ballot > Ballot.ZERO:
                self._writer.execute("DELETE FROM votes WHERE slot = ?", (slot,))

    def _compact(self, snapshot: Snapshotted, frontier: int) -> int:
        """Make a snapshot the newest, in the transaction that is under way."""
        first = self._compaction.first
        after = self._compaction.add(snapshot, frontier)
        if self._compaction.first != first:
            update_about(self._writer, "first", self._compaction.first)
        if after != frontier:
            self._open.take_below(after)
        return after

    def _raise_about(self, key: str, known: Ballot, highest: Ballot) -> Ballot:
        if highest > known:
            update_about(self._writer, key, str(highest))
        return highest

    def _vote_row(self, vote: Voted) -> Row:
        """Return the row of a vote in an open slot, and note its ballot and checksum."""
        slot, ballot, value = vote.slot, vote.ballot, self._encode(vote.value)
        number, node, note = *ballot, str(vote.value)
        crc = checksum(value, "votes", slot, number, node, note)
        self._open.put(slot, ballot, crc)
        return slot, number, node, note, value, crc

    def recover(self) -> Iterator[Record]:
        """See `Journal.recover`. It reads page by page, so the log may exceed the memory."""
        if self._begun > Ballot.ZERO:
            yield Begun(self._begun)
        if self._promised > Ballot.ZERO:
            yield Promised(self._promised)
        slot = 0
        if self.snapshots:
            yield self.snapshots[-1]
            slot = self.snapshots[-1].position
        while page := self.read(slot, self.frontier - 1, self.page_bytes):
            yield from (Learned(slot, None, value) for slot, value in page)
            slot = page[-1][0] + 1
        while votes := self._reader.read_votes(slot, self.page_votes):
            yield from votes
            slot = votes[-1].slot + 1

    def read(self, first: int, last: int, max_bytes: int) -> list[tuple[int, Value]]:
        """See `Journal.read`."""
        if first < self.first:
            raise LogCompacted(first, self.first)
        last = min(last, self.frontier - 1)
        return self._reader.read(first, last, max_bytes, lambda: self.first)

    def read_pieces(self, position: int, first: int, count: int) -> list[bytes]:
        """See `Journal.read_pieces`."""
        return self._reader.read_pieces(position, first, count)

    def close(self) -> None:
        """Release the file and its lock; harmless when repeated.

        The last connection to close syncs the write-ahead log again and copies it into the file.
        After a failed write that is forbidden, so then the reader is the last: it cannot write.
        """
        if self.forked:
            return
        failed = self._failure is not None
        if self._failure is None:
            self._failure = f"journal {self.path} is closed"
        with self._reader.lock:
            reader, writer = self._reader.db, self._writer
            for db in (writer, reader) if failed else (reader, writer):
                db.close()
        self._witness.close()
        self._lock.close()

    def let_go(self) -> None:
        """See `Private.let_go`.

        A connection to SQLite must not be used in a fork, nor closed: it would take locks and
        shared memory of the other process for its own. So both are kept for ever.
        """
        why = f"it is open in process {self.process}, of which this one is a fork"
        self._failure = self._reader.refused = why
        keep_for_ever(self.path, self._writer, self._reader.db)
        self._witness.close()
