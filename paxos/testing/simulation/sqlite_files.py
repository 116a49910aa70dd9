"""What there is in a journal's SQLite files, and what may be done to them between two lives."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random

LOG_HEADER_BYTES, FRAME_HEADER_BYTES, PAGE_BYTES = 32, 24, 4096
"""Of the write-ahead log: what it begins with, and what each frame of it has."""


def draw_place(data: bytes | bytearray, random: Random, *, is_log: bool) -> int:
    """Draw a page where something stands, of a log mostly one of the last, and there a place.

    A small table has as many chances as a large one. The headers in a log count as a whole: in
    these SQLite writes numbers that it draws itself, zeros among them. A seed must not depend on
    that, and need not: whichever of their bits is flipped, the log ends there.
    """
    first, page = (LOG_HEADER_BYTES, FRAME_HEADER_BYTES + PAGE_BYTES) if is_log else (0, PAGE_BYTES)
    starts = [0] * is_log + [
        start for start in range(first, len(data), page) if data[start : start + page].strip(b"\0")
    ]
    if is_log:
        starts = starts[-random.choice((1, 4, len(starts))) :]
    start = random.choice(starts)
    end = first if start < first else start + page
    header = LOG_HEADER_BYTES if is_log else 0
    places = range(start, min(end, len(data)))
    return random.choice([at for at in places if data[at] or at - start < header])


def end_of(log: Path) -> int:
    """Return where the log really ends: SQLite starts it afresh without making it shorter.

    Its frames repeat a number that stands in its header, and is another each time.
    """
    data = log.read_bytes() if log.exists() else b""
    frame, end = FRAME_HEADER_BYTES + PAGE_BYTES, LOG_HEADER_BYTES
    while len(data) >= end + frame and data[end + 8 : end + 16] == data[16:24]:
        end += frame
    return min(end, len(data))


def log_of(path: Path) -> Path:
    """Return where the write-ahead log of a database is."""
    return path.with_name(f"{path.name}-wal")


def witness_of(path: Path) -> Path:
    """Return where the witness of a journal is."""
    return path.with_name(f"{path.name}.witness")


def size_of(path: Path) -> int:
    """Return the length of a file in bytes; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def copy_files(source: Path, target: Path, *, log: bool = True) -> None:
    """Copy a database as it is, with its log or without; nothing where there is none."""
    if source.exists():
        shutil.copyfile(source, target)
    if log and log_of(source).exists():
        shutil.copyfile(log_of(source), log_of(target))


def blank_from(path: Path, start: int) -> None:
    """Put zeros in the place of what a file has from ``start`` on."""
    length = size_of(path)
    if length > start:
        with path.open("r+b") as file:
            file.seek(start)
            file.write(bytes(length - start))


def remove_files(path: Path, but: Sequence[str] = ()) -> None:
    """Remove a journal's files, but for those with these endings."""
    for ending in ("", "-wal", "-shm", ".lock", ".witness"):
        if ending not in but:
            path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
