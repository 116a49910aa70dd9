"""A snapshot of the replicated state as bytes: in the journal, and on its way to a laggard.

First come the length and the CRC-32 of the head, four bytes each; then the head, a CBOR array of
the format's version and of one item for each line of `HEAD`; then the state machine's own bytes,
up to the end. Whoever stores or carries the whole has a digest of it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import Any, Final

import cbor2

from paxos.replicated.sessions import (
    MAX_CLIENTS,
    MAX_KEPT_ANSWER,
    SESSION_WINDOW,
    Answered,
    SessionsSnapshot,
)
from paxos.replicated.snapshot import PIECE_BYTES, Snapshot
from paxos.replicated.values import Failure, Result
from paxos.wire.cbor import Malformed, parse
from paxos.wire.effect_snapshots import EFFECTS
from paxos.wire.election_snapshots import ELECTIONS
from paxos.wire.fields import (
    NATURAL,
    OPTIONAL_LEADERSHIP,
    TEXT,
    Field,
    name,
    natural,
)

FORMAT: Final = 1
"""The version of all that stands above and of `HEAD`."""

MAX_HEAD_BYTES: Final = 128 << 20
"""The longest head, in bytes: as many clients as are remembered, each with the longest answer."""

MAX_SESSIONS: Final = 4096
"""The most nodes whose sessions a snapshot may have."""

_PREFIX: Final = struct.Struct(">II")


def write_snapshot(snapshot: Snapshot) -> Iterator[bytes]:
    """Return the pieces of a snapshot; each is made when it is asked for."""
    return _cut(chain(_write_head(snapshot), snapshot.machine))


def read_snapshot(pieces: Iterable[bytes]) -> Snapshot:
    """Return the snapshot of which these are the pieces; its machine's part is read on demand.

    Raises `Malformed` where the head is not what `write_snapshot` wrote.
    """
    source = iter(pieces)
    prefix, rest = _take(source, b"", _PREFIX.size)
    length, crc = _PREFIX.unpack(prefix)
    if length > MAX_HEAD_BYTES:
        raise Malformed("the head of a snapshot is too long")
    head, rest = _take(source, rest, length)
    if zlib.crc32(head) != crc:
        raise Malformed("the head of a snapshot does not match its checksum")
    return Snapshot(**_read_head(head), machine=chain((rest,), source))


def _write_head(snapshot: Snapshot) -> Iterator[bytes]:
    items: list[Any] = [FORMAT]
    for key, field in HEAD:
        item = getattr(snapshot, key)
        items.append(item if field.write is None else field.write(item))
    head = cbor2.dumps(items)
    yield _PREFIX.pack(len(head), zlib.crc32(head))
    yield head


def _read_head(head: bytes) -> dict[str, Any]:
    items = parse(head)
    if type(items) is not tuple or len(items) != 1 + len(HEAD) or items[0] != FORMAT:
        raise Malformed("not the head of a snapshot, or of another version")
    return {key: field.read(item) for (key, field), item in zip(HEAD, items[1:], strict=True)}


def _cut(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Cut bytes that come in parts of any size into pieces of one size."""
    waiting = bytearray()
    for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), PIECE_BYTES):  # a part may be the whole state
            waiting += view[start : start + PIECE_BYTES]
            if len(waiting) >= PIECE_BYTES:
                yield bytes(waiting[:PIECE_BYTES])
                del waiting[:PIECE_BYTES]
    if waiting:
        yield bytes(waiting)


def _take(source: Iterator[bytes], first: bytes, length: int) -> tuple[bytes, bytes]:
    """Return so many bytes, and what is left of the last piece that was needed."""
    taken = [first]
    missing = length - len(first)
    while missing > 0:
        piece = next(source, None)
        if piece is None:
            raise Malformed("a snapshot ends within its head")
        taken.append(piece)
        missing -= len(piece)
    joined = b"".join(taken)
    return joined[:length], joined[length:]


def _read_checksum(item: Any) -> int:
    if natural(item) >= 1 << 32:
        raise Malformed("not a CRC-32")
    return natural(item)


def _write_sessions(sessions: SessionsSnapshot) -> list[Any]:
    clients = [
        (client, answered.number, answered.slot, *_write_result(answered.result))
        for client, answered in sessions.clients
    ]
    return [sessions.nodes, clients]


def _write_result(result: Result | None) -> tuple[bytes | None, str | None]:
    return (None, result.error) if isinstance(result, Failure) else (result, None)


def _read_sessions(item: Any) -> SessionsSnapshot:
    if type(item) is not tuple or len(item) != 2:
        raise Malformed("not sessions")
    nodes = _read_rows(item[0], 4, MAX_SESSIONS)
    clients = _read_rows(item[1], 5, MAX_CLIENTS)
    return SessionsSnapshot(
        tuple((row[0], natural(row[1]), *_read_numbers(row[2], row[3])) for row in nodes),
        tuple((row[0], _read_answered(*row[1:])) for row in clients),
    )


def _read_rows(rows: Any, length: int, most: int) -> tuple[tuple[Any, ...], ...]:
    """Read rows that each begin with another name."""
    if type(rows) is not tuple or len(rows) > most:
        raise Malformed("not rows, or too many")
    if not all(type(row) is tuple and len(row) == length for row in rows):
        raise Malformed("not a row")
    if len({name(row[0]) for row in rows}) < len(rows):
        raise Malformed("two sessions of one name")
    return rows


def _read_numbers(low: Any, above: Any) -> tuple[int, tuple[int, ...]]:
    if type(above) is not tuple or not all(a < b for a, b in pairwise(map(natural, above))):
        raise Malformed("not ascending numbers")
    if above and not natural(low) < above[0] <= above[-1] < low + SESSION_WINDOW:
        raise Malformed("numbers beyond the window of a session")
    return natural(low), above


def _read_answered(number: Any, slot: Any, data: Any, error: Any) -> Answered:
    result: Result | None = None
    if error is not None:
        result = Failure(TEXT.read(error))
    if data is not None:
        if type(data) is not bytes or len(data) > MAX_KEPT_ANSWER or error is not None:
            raise Malformed("not an answer, or a long one")
        result = data
    return Answered(natural(number), natural(slot), result)


HEAD: Final[tuple[tuple[str, Field], ...]] = (
    ("position", NATURAL),
    ("checksum", Field(_read_checksum)),
    ("leadership", OPTIONAL_LEADERSHIP),
    ("sessions", Field(_read_sessions, _write_sessions)),
    ("elections", ELECTIONS),
    ("effects", EFFECTS),
)
"""The fields of `Snapshot` without the machine's, in their order, and how each is written."""
