"""A key-value store to replicate: transactions, ranges, revisions, and changes to watch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import cbor2
import trio

from paxos.machines import snapshots
from paxos.machines.commands import (
    BadCommand,
    Changes,
    Compare,
    Delete,
    Get,
    Put,
    Range,
    Request,
    Simple,
    Transaction,
    decode,
)
from paxos.machines.store import MAX_ANSWER, Change, Compacted, Item, Store

MOST_ANSWER: Final = 900 << 10
"""No answer has more bytes than about this."""

AHEAD: Final = 256
"""About how many changes a watcher takes at once."""


class KeyValue(Mapping[str, bytes]):
    """A state machine, and a face to read the state of this node by, like a dict of bytes.

    Every command that changes something makes one new revision. What is read by the face is as old
    as this node is behind; after `Node.barrier` it is up to date. Changed it is by commands alone:
    see `KeyValueClient`.
    """

    def __init__(self) -> None:
        self._store = Store()
        self._changed: trio.Event | None = None

    # What is replicated.

    def apply(self, command: bytes) -> bytes:
        """Carry out a command. Raises `BadCommand`, which is the answer on every node alike."""
        before = self._store.revision
        answer = self._carry_out(decode(command))
        if self._store.revision != before:
            self._tell()
        return answer

    def query(self, question: bytes) -> bytes:
        """Answer a `Get`, `Range` or `Changes` from the state as it is. Raises `BadCommand`."""
        request = decode(question)
        if not isinstance(request, Get | Range | Changes):
            raise BadCommand("this would change the state: propose it")
        return self._carry_out(request)

    def snapshot(self) -> bytes:
        """Return the whole state, history included."""
        return b"".join(self.snapshot_parts())

    def restore(self, snapshot: bytes) -> None:
        """Replace the whole state."""
        self.restore_parts((snapshot,))

    def snapshot_parts(self) -> Iterator[bytes]:
        """Return the whole state as it is now, in parts that may be taken later."""
        return snapshots.parts(self._store)

    def restore_parts(self, parts: Iterable[bytes]) -> None:
        """Replace the whole state by the parts of a snapshot, cut anyhow."""
        self._store = snapshots.restored(parts)
        self._tell()

    # The face.

    @property
    def revision(self) -> int:
        """How many commands have changed something."""
        return self._store.revision

    @property
    def compacted(self) -> int:
        """The changes up to this revision can no longer be watched."""
        return self._store.compacted

    def __getitem__(self, key: str) -> bytes:
        """Return the value of a key."""
        return self._store.items[key].value

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._store.items)

    def __iter__(self) -> Iterator[str]:
        """Yield the keys in their order."""
        return iter(tuple(self._store.keys))

    def item(self, key: str) -> Item | None:
        """Return what is at a key, with its revisions."""
        return self._store.items.get(key)

    def range(self, prefix: str = "", after: str = "") -> list[tuple[str, Item]]:
        """Return what is at the keys with a prefix, in their order, from behind ``after`` on."""
        return list(self._store.range(prefix, after))

    def watch(self, prefix: str = "", since: int | None = None) -> Watch:
        """Watch the keys with a prefix, from behind a revision on; from now on without one.

        Each change comes once, in order, and none is left out: read the state, and watch since
        its `revision`. Who is too slow, or wants changes too old, gets `Compacted`.
        """
        return Watch(self, prefix, self.revision if since is None else since)

    def changes(self, prefix: str, since: int, most: int = AHEAD) -> tuple[list[Change], int]:
        """Return the first changes after a revision, and up to which revision these are all.

        Raises `Compacted`.
        """
        return self._store.since(since, prefix, most)

    async def wait_changed(self) -> None:
        """Return when the state has changed."""
        if self._changed is None:
            self._changed = trio.Event()
        await self._changed.wait()

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    # Commands.

    def _carry_out(self, request: Request) -> bytes:
        room = [MOST_ANSWER]
        match request:
            case Changes():
                answer: Any = self._changes(request)
            case Transaction():
                answer = self._transact(request, room)
            case _:
                answer = self._transact(Transaction(then=(request,)), room)[1][0]
        return cbor2.dumps([self._store.revision, answer])

    def _transact(self, transaction: Transaction, room: list[int]) -> list[Any]:
        """Carry out one branch; when a part of it cannot be, undo what came before."""
        held = all(map(self._holds, transaction.compares))
        undo: list[tuple[str, Item | None]] = []
        try:
            branch = transaction.then if held else transaction.otherwise
            answers = [self._do(part, undo, room) for part in branch]
        except BadCommand:
            for key, item in reversed(undo):
                self._store.restore(key, item)
            raise
        self._store.commit([key for key, _ in undo])
        return [held, answers]

    def _do(self, part: Simple, undo: list[tuple[str, Item | None]], room: list[int]) -> Any:
        store = self._store
        match part:
            case Put(key, value):
                undo.append((key, store.set(key, value)))
                return None
            case Delete(key):
                before = store.remove(key)
                if before is not None:
                    undo.append((key, before))
                return before is not None
            case Get(key):
                item = store.items.get(key)
                return None if item is None else _row(item, room)
            case Range():
                return self._range(part, room)

    def _range(self, wanted: Range, room: list[int]) -> list[Any]:
        """Return as many as are wanted and as there is room for, and whether there are more."""
        rows: list[Any] = []
        least = room[0] - MAX_ANSWER
        for key, item in self._store.range(wanted.prefix, wanted.after):
            size = 4 * len(key) + item.size
            if len(rows) == wanted.limit or room[0] < size or (rows and room[0] < least):
                return [rows, True]
            room[0] -= 4 * len(key)
            rows.append([key, _row(item, room)])
        return [rows, False]

    def _changes(self, wanted: Changes) -> list[Any]:
        if wanted.since is None:
            return [[], self.revision]
        try:
            changes, last = self.changes(wanted.prefix, wanted.since, wanted.limit)
        except Compacted as error:
            raise BadCommand(f"{COMPACTED}{error.compacted}") from None
        return [[[c.revision, c.key, c.value] for c in changes], last]

    def _holds(self, compare: Compare) -> bool:
        item, operand = self._store.items.get(compare.key), compare.operand
        found: Any = getattr(item, compare.what, None if compare.what == "value" else 0)
        match compare.how:
            case "=":
                return bool(found == operand)
            case "!=":
                return bool(found != operand)
            case "<":
                return found is not None and bool(found < operand)
            case ">":
                return found is not None and bool(found > operand)


class Watch:
    """Yields the changes of the keys with a prefix, each once and in order; never ends."""

    def __init__(self, machine: KeyValue, prefix: str, since: int) -> None:
        self._machine = machine
        self._prefix = prefix
        self._since = since
        self._ready: deque[Change] = deque()

    def __aiter__(self) -> Watch:
        """Return itself."""
        return self

    async def __anext__(self) -> Change:
        """Wait for the next change. Raises `Compacted`."""
        await trio.lowlevel.checkpoint()
        while not self._ready:
            changes, self._since = self._machine.changes(self._prefix, self._since)
            self._ready.extend(changes)
            if not changes and self._since >= self._machine.revision:
                await self._machine.wait_changed()
        return self._ready.popleft()


def _row(item: Item, room: list[int]) -> list[Any]:
    room[0] -= item.size
    if room[0] < 0:
        raise BadCommand(f"the answer would have more than {MOST_ANSWER:,} bytes: ask for less")
    return [item.value, item.created, item.modified, item.version]


COMPACTED: Final = "compacted up to revision "
"""How the error begins that tells a remote watcher of `Compacted`."""
