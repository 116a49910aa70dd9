"""What a journal remembers of itself outside of its file, so that going backwards is noticed.

SQLite drops the end of a write-ahead log in which a bit has flipped, without a word; and a file
that was restored from a copy, or is gone, looks perfectly healthy. Each would make an acceptor
forget what it has promised. So the journal counts its writes, and a second file, the *witness*,
is told the count after every commit. A journal whose witness saw more than it holds must not vote.

The witness is synced only when a journal is opened or gets another identity: after a power cut it
may be older than the journal, which proves nothing. It is never newer, unless the journal lost
something.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from pathlib import Path
from typing import Final

from attrs import frozen

_LINE: Final = re.compile(rb"([0-9a-f]{16}) +(\d{1,19}) ([0-9a-f]{8}) ([0-9a-f]{8})\n")


@frozen
class Mark:
    """How far a journal was written."""

    identity: int
    """Which journal: a number of 63 bits, drawn at random when the file was made."""
    writes: int
    """How many transactions it has written."""
    chain: int
    """A checksum over all of them, in their order."""

    def next(self, crcs: tuple[int, ...]) -> Mark:
        """Return the mark after one more transaction, which wrote rows with these checksums."""
        return Mark(self.identity, self.writes + 1, zlib.crc32(repr(crcs).encode(), self.chain))


class Witness:
    """The file ``path`` + ``.witness``: one line with the newest mark.

    Raises:
        OSError: The file cannot be made, read or written.

    """

    def __init__(self, path: Path) -> None:
        self.path = Path(f"{path}.witness")
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def read(self) -> Mark | None:
        """Return the mark, or None if the file was only made now; raise ValueError if damaged."""
        line = os.pread(self._file, 200, 0)
        if not line:
            return None
        match = _LINE.fullmatch(line)
        if match is None or zlib.crc32(line[:-9]) != int(match[4], 16):
            raise ValueError
        return Mark(int(match[1], 16), int(match[2]), int(match[3], 16))

    def note(self, mark: Mark) -> None:
        """Replace the mark: one write of less than a sector, which a kill cannot cut in two."""
        text = f"{mark.identity:016x} {mark.writes:19} {mark.chain:08x} ".encode()
        os.pwrite(self._file, b"%s%08x\n" % (text, zlib.crc32(text)), 0)

    def sync(self) -> None:
        """Make the file durable, so that a power cut keeps which journal it belongs to."""
        os.fsync(self._file)

    def close(self) -> None:
        """Release the file; harmless when repeated."""
        if self._file >= 0:
            file, self._file = self._file, -1
            with contextlib.suppress(OSError):
                os.close(file)


def doubt(held: Mark | None, witness: Witness) -> str:
    """Return why a journal with this mark may have forgotten something; empty if it has not.

    ``held`` is None for a journal that was made only now. That alone is no reason for doubt here:
    whether a node of its name has voted before, its peers know.
    """
    name = witness.path.name  # where it lies is no part of why, and may change
    try:
        seen = witness.read()
    except ValueError:
        return f"{name} is damaged, so nothing tells whether the journal is complete"
    if held is None:
        return "" if seen is None else f"the journal is gone: it had {seen.writes} writes"
    if seen is None:
        return f"{name} is gone, so nothing tells whether the journal is complete"
    if seen.identity != held.identity:
        return f"the journal is not the one to which {name} belongs"
    if seen.writes > held.writes:
        return f"the journal went backwards: it has {held.writes} of {seen.writes} writes"
    if seen.writes == held.writes and seen.chain != held.chain:
        return f"the journal's last writes are not those that {name} saw"
    return ""
