"""A journal that forgets when the process ends: for tests, the simulator and virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from attrs import Factory, define

from paxos.errors import LogCompacted
from paxos.journal.base import JournalError, highest_begun, highest_promised
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


@define
class _Memory:
    """The disk of a `MemoryJournal`, which survives it."""

    boot: int = 0
    begun: Ballot = Ballot.ZERO
    promised: Ballot = Ballot.ZERO
    votes: dict[int, Voted] = Factory(dict)
    first: int = 0
    chosen: list[Value] = Factory(list)
    """From slot `first` on."""
    snapshots: tuple[Snapshotted, ...] = ()
    pieces: dict[int, dict[int, bytes]] = Factory(dict)
    """By position and index."""
    doubt: str = ""
    identity: int = 1
    writes: int = 0


def _length(value: Value) -> int:
    return len(repr(value))


class MemoryJournal:
    """A `Journal` in memory.

    Args:
        size: What counts as the size of a value in `read`, in bytes; by default the length of
            its ``repr``.
        boot: That of the node's last life, whose journal is gone.

    """

    inline = True

    def __init__(self, size: Callable[[Value], int] = _length, boot: int = 0) -> None:
        self._start(_Memory(boot), size)

    def _start(self, memory: _Memory, size: Callable[[Value], int]) -> None:
        self._memory = memory
        self._size = size
        self._failure: str | None = None
        memory.boot += 1
        memory.writes += 1
        self.boot = memory.boot

    def reopened(self, boot: int = 0) -> MemoryJournal:
        """Return the journal of the node's next life; this one can be written no more.

        Where this is an older copy, ``boot`` is that of the node's last life.
        """
        self._memory.boot = max(self._memory.boot, boot)
        self._failure = "the journal was opened by a later life of the node"
        later = MemoryJournal.__new__(MemoryJournal)
        later._start(self._memory, self._size)
        return later

    def fail(self, reason: str) -> None:
        """Let every write from now on raise `JournalError` with this reason."""
        self._failure = reason

    def forget(self, doubt: str = "") -> None:
        """Lose everything but the doubt, as where a file is gone and its witness is not.

        Without doubt, the witness is gone, too: only the other nodes can know.
        """
        self.fail("the journal is gone")
        memory = self._memory
        memory.begun = memory.promised = Ballot.ZERO
        memory.votes, memory.chosen, memory.doubt = {}, [], doubt
        memory.first, memory.snapshots, memory.pieces = 0, (), {}
        memory.identity, memory.writes = memory.identity + 1, 0

    @property
    def doubt(self) -> str:
        """See `Journal.doubt`."""
        return self._memory.doubt

    @property
    def mark(self) -> tuple[int, int]:
        """See `Journal.mark`."""
        return self._memory.identity, self._memory.writes

    @property
    def frontier(self) -> int:
        """The first slot that is not learned."""
        return self._memory.first + len(self._memory.chosen)

    @property
    def first(self) -> int:
        """See `Journal.first`."""
        return self._memory.first

    @property
    def snapshots(self) -> tuple[Snapshotted, ...]:
        """See `Journal.snapshots`."""
        return self._memory.snapshots

    def write(self, records: Sequence[Record]) -> None:
        """See `Journal.write`."""
        if self._failure is not None:
            raise JournalError(self._failure)
        memory = self._memory
        for record in records:
            match record:
                case Learned(slot) if slot >= self.frontier:
                    assert slot == self.frontier, "the log has no gaps"
                    memory.chosen.append(record.value)
                case Voted(slot):
                    memory.votes[slot] = record
                case Piece(position, index, data):
                    memory.pieces.setdefault(position, {})[index] = data
                case Snapshotted():
                    self._compact(record)
        memory.begun = highest_begun(records, memory.begun)
        memory.promised = highest_promised(records, memory.promised)
        memory.writes += 1
        for record in records:
            if isinstance(record, Doubted):
                memory.doubt = record.why
            elif isinstance(record, Readmitted):
                memory.doubt, memory.identity = "", memory.identity + 1

    def _compact(self, snapshot: Snapshotted) -> None:
        """Make a snapshot the newest, and let go of what it makes superfluous."""
        memory, position = self._memory, snapshot.position
        if not memory.snapshots or position > memory.snapshots[-1].position:
            before = memory.snapshots[-1:] if position <= self.frontier else ()
            first = before[0].position if before else memory.first
            if position > self.frontier:
                first = position
            memory.chosen = memory.chosen[first - memory.first :]
            memory.first = first
            memory.snapshots = (*before, snapshot)
        held = {one.position for one in memory.snapshots}
        memory.pieces = {
            at: pieces for at, pieces in memory.pieces.items() if at in held or at > position
        }
        memory.votes = {slot: vote for slot, vote in memory.votes.items() if slot >= memory.first}

    def recover(self) -> Iterator[Record]:
        """See `Journal.recover`."""
        memory = self._memory
        if memory.begun > Ballot.ZERO:
            yield Begun(memory.begun)
        if memory.promised > Ballot.ZERO:
            yield Promised(memory.promised)
        slot = 0
        if memory.snapshots:
            yield memory.snapshots[-1]
            slot = memory.snapshots[-1].position
        for value in memory.chosen[slot - memory.first :]:
            yield Learned(slot, None, value)
            slot += 1
        for slot in sorted(memory.votes):
            if slot >= self.frontier:
                yield memory.votes[slot]

    def read(self, first: int, last: int, max_bytes: int) -> list[tuple[int, Value]]:
        """See `Journal.read`."""
        if first < self.first:
            raise LogCompacted(first, self.first)
        found: list[tuple[int, Value]] = []
        for slot in range(first, min(last + 1, self.frontier)):
            value = self._memory.chosen[slot - self.first]
            max_bytes -= self._size(value)
            if found and max_bytes < 0:
                break
            found.append((slot, value))
        return found

    def read_pieces(self, position: int, first: int, count: int) -> list[bytes]:
        """See `Journal.read_pieces`."""
        pieces = self._memory.pieces.get(position, {})
        found: list[bytes] = []
        while len(found) < count and first + len(found) in pieces:
            found.append(pieces[first + len(found)])
        return found

    def close(self) -> None:
        """Close this life's journal; `reopened` still finds what was written."""
        if self._failure is None:
            self._failure = "the journal is closed"
