"""What a node needs of its memory, whoever keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from paxos.errors import PaxosError
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Promised, Record, Snapshotted, Voted
from paxos.protocol.values import Value


class JournalError(PaxosError):
    """The journal cannot be opened, or cannot be written any more; the node must not vote."""


class JournalCorrupt(JournalError):  # noqa: N818 - it says what is wrong with the journal
    """What the journal holds is not what was written: bits have changed or rows are missing."""


class Journal(Protocol):
    """The durable memory of one node: its ballots, its votes and the log that it has learned.

    One thread writes; `read` may be called from another at the same time.
    """

    @property
    def boot(self) -> int:
        """Which life of the node this is: higher than any before, and never the same twice.

        It counts, and is at least the time in microseconds since 1970. So it rises also where the
        journal of an earlier life is gone, or an older copy of it has come back: the log knows
        that life, and would take a new command for one that it has applied. By chance it differs
        even where the clock is wrong.
        """

    @property
    def frontier(self) -> int:
        """The first slot that is not learned."""

    @property
    def doubt(self) -> str:
        """Why the journal may have forgotten something; empty when it has not.

        A node with a doubtful journal must not vote, nor begin a ballot: it learns.
        """

    @property
    def mark(self) -> tuple[int, int]:
        """The journal's identity, a number above 0, and how many of its writes are durable.

        A journal that is readmitted takes another identity. May be asked from any thread.
        """

    @property
    def first(self) -> int:
        """The first slot whose value is still here; what is below, a snapshot tells."""

    @property
    def snapshots(self) -> tuple[Snapshotted, ...]:
        """The newest snapshot, last, and the one before it, for whoever is fetching that."""

    @property
    def inline(self) -> bool:
        """True where a write costs nothing, so that no thread is needed for it."""

    def write(self, records: Sequence[Record]) -> None:
        """Write all the records or none; they are on stable storage when it returns. Blocks.

        `Learned` records must continue the log at its frontier; one below it is already known
        and is passed over.

        A `Piece` starts or continues a snapshot. `Snapshotted` makes it the newest, all at once
        with what follows from it: the log is kept from the snapshot before it on; or, where the
        frontier was below, it moves to the snapshot's position, and nothing below is kept. A
        snapshot that is not newer than the newest is passed over.

        Raises:
            JournalError: A write or sync failed. That is final: nothing is ever tried again,
                and every later call raises an error of the same type and text.

        """

    def recover(self) -> Iterator[Record]:
        """Yield what a restarted node must hear, in the order in which it must hear it.

        First the highest `Begun` and the highest `Promised`, where there are any (a vote counts
        as a promise of its ballot) and the newest `Snapshotted`; then `Learned` from that
        snapshot's position, or 0, to the frontier, without ballots; then a `Voted` for each slot
        from the frontier on that has a vote.

        Raises:
            JournalCorrupt: A record is damaged or missing.
            JournalError: The journal cannot be read.

        """

    def read(self, first: int, last: int, max_bytes: int) -> list[tuple[int, Value]]:
        """Return chosen values of the slots ``first`` to ``last``, both included, in order.

        It returns as many as fit into ``max_bytes`` (bytes of encoded values), at least one if
        ``first`` is learned, and none otherwise. Blocks.

        Raises:
            LogCompacted: ``first`` lies below the first slot that is kept.
            JournalCorrupt: A record is damaged or missing.
            JournalError: The journal cannot be read.

        """

    def read_pieces(self, position: int, first: int, count: int) -> list[bytes]:
        """Return pieces of the snapshot of that position, ``count`` or as many as there are.

        They are those from index ``first`` on, up to the first that is missing. Blocks.

        Raises:
            JournalCorrupt: One is damaged.
            JournalError: The journal cannot be read.

        """

    def close(self) -> None:
        """Release everything that the journal holds; harmless when repeated."""


def highest_begun(records: Sequence[Record], known: Ballot) -> Ballot:
    """Return the highest ballot that was ever begun, with these records."""
    for record in records:
        if isinstance(record, Begun) and record.ballot > known:
            known = record.ballot
    return known


def highest_promised(records: Sequence[Record], known: Ballot) -> Ballot:
    """Return the highest ballot that was ever promised, with these records.

    A vote promises its ballot, too. `Journal.recover` passes over votes below the frontier, so
    what they promised must be remembered apart from them.
    """
    for record in records:
        if isinstance(record, Voted | Promised) and record.ballot > known:
            known = record.ballot
    return known
