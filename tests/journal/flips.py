"""Single bits of a journal's files, turned one at a time: none may pass for what was written.

    python -m tests.journal.flips --count 100000

A journal was killed with the end of its log still in the write-ahead log. Each flip hits a copy
of its files, anywhere; then the copy is opened and read to its end. It must be refused, or be in
doubt, or give back exactly what was written, because the bit does not matter.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from attrs import frozen

from paxos.journal import JournalError, SqliteJournal
from paxos.journal.snapshots import pieces_of, snapshot_records
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Learned, Promised, Record, Voted
from paxos.replicated.values import Batch, Command, Leadership, Session
from paxos.wire import decode_value, encode_value

PARTS = ("", "-wal", ".witness")
"""The files that are hit; the shared index is only a cache of the log."""


@frozen
class Written:
    """A journal's files as a kill left them, and what they must give back."""

    files: dict[str, bytes]
    records: tuple[Record, ...]
    snapshot: bytes


def open_journal(path: Path) -> SqliteJournal:
    return SqliteJournal(
        path, cluster="shop", node="node1", encode=encode_value, decode=decode_value
    )


def value(number: int) -> Batch:
    session = Session("node2", 7)
    return Batch(tuple(Command(session, 3 * number + k, b"charge %d" % k) for k in range(3)))


def write(folder: Path) -> Written:
    """Write a journal with every kind of row, in the file itself and in the log beside it."""
    path = folder / "node1.db"
    ballot = Ballot(3, "node2")
    first = open_journal(path)
    first.write([Begun(Ballot(2, "node1")), Voted(0, ballot, Leadership("node2", 1))])
    for slot in range(1, 30):
        first.write([Voted(slot, ballot, value(slot)), Learned(slot - 1, None, value(slot - 1))])
    first.write(list(snapshot_records(10, [b"the state, " * 200, b"and its end"])))
    first.close()  # which copies the log into the file
    second = open_journal(path)
    for slot in range(30, 45):
        second.write([Voted(slot, ballot, value(slot)), Promised(Ballot(slot, "node3"))])
    files = {part: Path(f"{path}{part}").read_bytes() for part in PARTS}
    records, snapshot = read(second)
    second.close()
    return Written(files, records, snapshot)


def read(journal: SqliteJournal) -> tuple[tuple[Record, ...], bytes]:
    """Read all that a starting node reads."""
    return tuple(journal.recover()), b"".join(pieces_of(journal, journal.snapshots[-1]))


def outcome(written: Written, folder: Path, part: str, bit: int) -> str:
    """Turn one bit and open the journal; raise AssertionError if that is not noticed."""
    path = folder / "node1.db"
    for name, data in written.files.items():
        Path(f"{path}{name}").write_bytes(data)
    damaged = bytearray(written.files[part])
    damaged[bit // 8] ^= 1 << bit % 8
    Path(f"{path}{part}").write_bytes(damaged)
    try:
        journal = open_journal(path)
        try:
            found = read(journal)
        finally:
            journal.close()
    except JournalError:
        return "refused"
    finally:
        for file in folder.iterdir():
            file.unlink()
    if journal.doubt:
        return "in doubt"
    where = f"bit {bit % 8} of byte {bit // 8} of the file{part or ' itself'}"
    assert found == (written.records, written.snapshot), f"{where} was turned, and nobody noticed"
    return "harmless"


def flip_many(count: int, seed: int) -> Counter[str]:
    """Turn ``count`` random bits, each in a fresh copy; return what came of it."""
    random, outcomes = Random(seed), Counter[str]()
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=place if place.is_dir() else None) as name:
        folder = Path(name)
        written = write(folder)
        shutil.rmtree(folder)
        folder.mkdir()
        for _ in range(count):
            (part,) = random.choices(PARTS, weights=(4, 4, 1))
            bit = random.randrange(8 * len(written.files[part]))
            outcomes[outcome(written, folder, part, bit)] += 1
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=10_000, help="how many bits (default 10,000)")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(dict(flip_many(asked.count, asked.seed)))


if __name__ == "__main__":
    main()
