"""What a key-value machine keeps: items in the order of their keys, and the last changes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby, takewhile

from attrs import define, field, frozen

from paxos.errors import PaxosError

MAX_CHANGES = 10_000
"""How many changes are remembered; older ones are compacted."""

MAX_CHANGES_BYTES = 16 << 20
"""How many bytes of keys and values these have at most."""

MAX_ANSWER = 400 << 10
"""An answer of many parts ends at about so many bytes."""


@frozen
class Item:
    """What is at a key."""

    value: bytes
    created: int
    """The revision in which the key came into being."""
    modified: int
    """The revision in which the value was set."""
    version: int
    """How often it was set since then."""

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.value) + 32


@frozen
class Change:
    """A key was set or removed; the changes of one transaction have one revision."""

    revision: int
    key: str
    value: bytes | None
    """None where the key was removed."""

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return 4 * len(self.key) + (0 if self.value is None else len(self.value)) + 32


class Compacted(PaxosError):  # noqa: N818 - it says what became of the changes
    """Changes after the wanted revision are no longer known: read the state, and watch on."""

    def __init__(self, since: int, compacted: int) -> None:
        super().__init__(
            f"changes up to revision {compacted} were compacted, and those after {since} were "
            "wanted: read what is there now, and watch from the revision of that"
        )
        self.compacted = compacted


@define
class Store:
    """Items and history; it changes in `set`, `remove` and `commit` alone."""

    items: dict[str, Item] = field(factory=dict)
    keys: list[str] = field(factory=list)
    """Sorted."""
    revision: int = 0
    """Of the last commit that changed something."""
    changes: deque[Change] = field(factory=deque)
    """The oldest first."""
    changes_bytes: int = 0
    compacted: int = 0
    """Changes up to this revision may be forgotten."""

    def set(self, key: str, value: bytes) -> Item | None:
        """Set a key in the revision that comes next; return what was there."""
        before, now = self.items.get(key), self.revision + 1
        if before is None:
            insort(self.keys, key)
            self.items[key] = Item(value, now, now, 1)
        else:
            self.items[key] = Item(value, before.created, now, before.version + 1)
        return before

    def remove(self, key: str) -> Item | None:
        """Remove a key in the revision that comes next; return what was there."""
        before = self.items.pop(key, None)
        if before is not None:
            del self.keys[bisect_left(self.keys, key)]
        return before

    def restore(self, key: str, item: Item | None) -> None:
        """Undo what was not committed."""
        if item is None:
            self.remove(key)
        else:
            if key not in self.items:
                insort(self.keys, key)
            self.items[key] = item

    def commit(self, written: Iterable[str]) -> None:
        """Make one revision of the keys that were set or removed; of none, nothing."""
        now = self.revision + 1
        for key in written:
            self.revision = now
            item = self.items.get(key)
            self.remember(Change(now, key, None if item is None else item.value))

    def remember(self, change: Change) -> None:
        """Add to the history, and forget what it has no room for."""
        self.changes.append(change)
        self.changes_bytes += change.size
        while len(self.changes) > MAX_CHANGES or self.changes_bytes > MAX_CHANGES_BYTES:
            oldest = self.changes.popleft()
            self.changes_bytes -= oldest.size
            self.compacted = oldest.revision

    def range(self, prefix: str, after: str = "") -> Iterator[tuple[str, Item]]:
        """Yield the items of the keys with a prefix, from behind ``after`` on."""
        start = bisect_left(self.keys, prefix)
        if after >= prefix:
            start = max(start, bisect_right(self.keys, after))
        for index in range(start, len(self.keys)):
            key = self.keys[index]
            if not key.startswith(prefix):
                return
            yield key, self.items[key]

    def since(self, revision: int, prefix: str, most: int) -> tuple[list[Change], int]:
        """Return the first changes after a revision, and up to which revision these are all.

        They are whole revisions, of about ``most`` changes and of `MAX_ANSWER` bytes together
        unless one revision alone has more. Raises `Compacted`.
        """
        if revision < self.compacted:
            raise Compacted(revision, self.compacted)
        newer = list(takewhile(lambda change: change.revision > revision, reversed(self.changes)))
        found: list[Change] = []
        size, last = 0, revision
        for now, changes in groupby(reversed(newer), key=lambda change: change.revision):
            wanted = [change for change in changes if change.key.startswith(prefix)]
            more = sum(change.size for change in wanted)
            if found and (len(found) + len(wanted) > most or size + more > MAX_ANSWER):
                return found, last
            found += wanted
            size, last = size + more, now
        return found, max(revision, self.revision)
