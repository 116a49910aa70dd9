"""A journal that forgets when the process ends: for tests, the simulator and virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from attrs import Factory, define

from paxos.journal.base import JournalError, highest_begun, highest_promised
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Doubted, Learned, Promised, Readmitted, Record, Voted
from paxos.protocol.values import Value


@define
class _Memory:
    """The disk of a `MemoryJournal`, which survives it."""

    boot: int = 0
    begun: Ballot = Ballot.ZERO
    promised: Ballot = Ballot.ZERO
    votes: dict[int, Voted] = Factory(dict)
    chosen: list[Value] = Factory(list)
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

    """

    inline = True

    def __init__(self, size: Callable[[Value], int] = _length) -> None:
        self._start(_Memory(), size)

    def _start(self, memory: _Memory, size: Callable[[Value], int]) -> None:
        self._memory = memory
        self._size = size
        self._failure: str | None = None
        memory.boot += 1
        memory.writes += 1
        self.boot = memory.boot

    def reopened(self) -> MemoryJournal:
        """Return the journal of the node's next life; this one can be written no more."""
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
        return len(self._memory.chosen)

    def write(self, records: Sequence[Record]) -> None:
        """See `Journal.write`."""
        if self._failure is not None:
            raise JournalError(self._failure)
        memory = self._memory
        chosen: list[Value] = []
        for record in records:
            if isinstance(record, Learned) and record.slot >= self.frontier + len(chosen):
                assert record.slot == self.frontier + len(chosen), "the log has no gaps"
                chosen.append(record.value)
        memory.chosen += chosen
        memory.votes.update(
            {record.slot: record for record in records if isinstance(record, Voted)}
        )
        memory.begun = highest_begun(records, memory.begun)
        memory.promised = highest_promised(records, memory.promised)
        memory.writes += 1
        for record in records:
            if isinstance(record, Doubted):
                memory.doubt = record.why
            elif isinstance(record, Readmitted):
                memory.doubt, memory.identity = "", memory.identity + 1

    def recover(self) -> Iterator[Record]:
        """See `Journal.recover`."""
        memory = self._memory
        if memory.begun > Ballot.ZERO:
            yield Begun(memory.begun)
        if memory.promised > Ballot.ZERO:
            yield Promised(memory.promised)
        for slot, value in enumerate(memory.chosen):
            yield Learned(slot, None, value)
        for slot in sorted(memory.votes):
            if slot >= self.frontier:
                yield memory.votes[slot]

    def read(self, first: int, last: int, max_bytes: int) -> list[tuple[int, Value]]:
        """See `Journal.read`."""
        found: list[tuple[int, Value]] = []
        for slot in range(first, min(last + 1, self.frontier)):
            value = self._memory.chosen[slot]
            max_bytes -= self._size(value)
            if found and max_bytes < 0:
                break
            found.append((slot, value))
        return found

    def close(self) -> None:
        """Close this life's journal; `reopened` still finds what was written."""
        if self._failure is None:
            self._failure = "the journal is closed"
