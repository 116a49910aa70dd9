"""What must be true of what a journal holds: a function for each rule, which raises an error.

A journal that is opened or read stops at the first that is broken, for its node must not vote;
`verification` tries all of them on all rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from paxos.journal.explaining import damaged
from paxos.journal.tables import checksum
from paxos.protocol.records import Snapshotted


def checked_value(
    path: Path, slot: int, number: int | None, node: str | None, note: str, value: object, crc: int
) -> bytes:
    """Return the value of a row of ``votes``, or of ``chosen``, where number and node are None."""
    table = "chosen" if number is None else "votes"
    fields = (slot, note) if number is None else (slot, number, node, note)
    if not isinstance(value, bytes) or crc != checksum(value, table, *fields):
        raise damaged(path, f"slot {slot} of {table} ({note!r}) does not match its checksum")
    return value


def checked_snapshot(
    path: Path, position: int, length: int, digest: object, crc: object
) -> Snapshotted:
    """Return what a row of ``snapshots`` says."""
    if not isinstance(digest, bytes) or crc != checksum(digest, "snapshots", position, length):
        raise damaged(
            path,
            f"what it says about the snapshot of position {position} does not match its checksum",
        )
    return Snapshotted(position, length, digest)


def checked_piece(path: Path, position: int, index: int, data: object, crc: object) -> bytes:
    """Return the data of a row of ``pieces``."""
    if not isinstance(data, bytes) or crc != piece_checksum(position, index, data):
        raise damaged(
            path,
            f"piece {index} of the snapshot of position {position} does not match its checksum",
        )
    return data


def piece_checksum(position: int, index: int, data: bytes) -> int:
    """Return the checksum of a row of ``pieces``."""
    return checksum(data, "pieces", position, index)


def check_open_votes(path: Path, frontier: int, crcs: Iterable[object], expected: int) -> None:
    """See that no row is missing of a slot that is not learned: it would be a forgotten vote."""
    found = 0
    for crc in crcs:
        found ^= crc if isinstance(crc, int) else -1  # a flipped bit changes types, too
    if found != expected:
        raise damaged(path, f"a vote in a slot from {frontier} on is missing or was changed")


def check_slot(path: Path, slot: int, found: int | None) -> None:
    """See that the row found next in the log, if any, is that of a slot that was learned."""
    if found != slot:
        raise damaged(path, f"slot {slot} was learned, and its value is missing")


def check_beginning(path: Path, first: int, position: int, frontier: int) -> None:
    """See that the newest snapshot, whose position is 0 without any, tells what the log does not.

    The log begins at slot ``first`` and is learned up to ``frontier``.
    """
    if not first <= position <= frontier:
        raise damaged(
            path,
            f"its log begins at slot {first}, and the snapshot of what was before is missing",
        )
