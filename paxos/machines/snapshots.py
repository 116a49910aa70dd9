"""A key-value store as bytes: blocks of rows, each behind its length, to be cut anyhow.

The first block is ``[version, revision, compacted, keys, changes]``, with the numbers of rows that
follow: ``[key, value, created, modified, version]`` in the order of the keys, then
``[revision, key, value]`` from the oldest change on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import cbor2

from paxos.machines.store import Change, Item, Store
from paxos.wire.cbor import Malformed, parse

VERSION: Final = 1
BLOCK_BYTES: Final = 64 << 10
"""A block ends when its rows have about so many bytes."""

_LENGTH: Final = 4


def parts(store: Store) -> Iterator[bytes]:
    """Return the blocks of the store as it is now; it may change while they are taken.

    Items and changes are never altered, only replaced, so a copy of the references is enough.
    """
    items = [(key, store.items[key]) for key in store.keys]
    changes = tuple(store.changes)
    head = [VERSION, store.revision, store.compacted, len(items), len(changes)]
    return _blocks(head, items, changes)


def _blocks(
    head: list[int], items: list[tuple[str, Item]], changes: tuple[Change, ...]
) -> Iterator[bytes]:
    yield _block(head)
    rows: list[list[Any]] = []
    size = 0
    for key, item in items:
        rows.append([key, item.value, item.created, item.modified, item.version])
        size += item.size + 4 * len(key)
        if size > BLOCK_BYTES:
            yield _block(rows)
            rows, size = [], 0
    for change in changes:
        rows.append([change.revision, change.key, change.value])
        size += change.size
        if size > BLOCK_BYTES:
            yield _block(rows)
            rows, size = [], 0
    if rows:
        yield _block(rows)


def _block(content: object) -> bytes:
    data = cbor2.dumps(content)
    return len(data).to_bytes(_LENGTH, "big") + data


def restored(pieces: Iterable[bytes]) -> Store:
    """Return the store whose blocks these are, cut anyhow. Raises ValueError if they are none."""
    try:
        return _restored(_cut(pieces))
    except (TypeError, ValueError) as error:
        raise ValueError(f"a damaged snapshot of a key-value machine: {error}") from None


def _restored(blocks: Iterator[Any]) -> Store:
    head = next(blocks, None)
    if type(head) is not tuple or len(head) != 5 or head[0] != VERSION:
        raise ValueError("it is none, or of another version")
    _, revision, compacted, keys, changes = head
    store = Store(revision=revision, compacted=compacted)
    rows = (row for block in blocks for row in block)
    for key, value, created, modified, version in islice(rows, keys):
        store.items[key] = Item(value, created, modified, version)
    store.keys = sorted(store.items)
    store.changes = deque(Change(*row) for row in islice(rows, changes))
    store.changes_bytes = sum(change.size for change in store.changes)
    if (len(store.items), len(store.changes)) != (keys, changes) or next(rows, None) is not None:
        raise ValueError("it has other rows than it says")
    return store


def _cut(pieces: Iterable[bytes]) -> Iterator[Any]:
    """Yield the content of each block."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= _LENGTH:
            end = _LENGTH + int.from_bytes(waiting[:_LENGTH], "big")
            if len(waiting) < end:
                break
            try:
                yield parse(bytes(waiting[_LENGTH:end]))
            except Malformed as error:
                raise ValueError(str(error)) from None
            del waiting[:end]
    if waiting:
        raise ValueError("it is cut short")
