"""Power cuts in the middle of writes: nothing that was acknowledged may be forgotten.

    python -m tests.journal.cuts --count 10000

A model of a disk that keeps what was synced, and of the sectors written since then any subset; one
of them may be torn. SQLite syncs the write-ahead log before a commit returns, and copies it into
the file only after that. So in the middle of a transaction either the file is as before, and the
log has some of its new sectors; or the log is whole, and the file has some. The witness, which is
never synced while a node runs, may show any of the marks that it ever had, up to the last commit.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

from paxos.journal import SqliteJournal
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Learned, Promised, Record, Voted
from tests.journal.flips import open_journal, value

SECTOR = 512
WRITES = 120
"""How many transactions a life has; with the size of their values, some checkpoints."""

Files = dict[str, bytes]


def read_files(path: Path) -> Files:
    parts = ("", "-wal", ".witness")
    return {
        part: Path(f"{path}{part}").read_bytes() for part in parts if Path(f"{path}{part}").exists()
    }


def some_sectors(before: bytes, after: bytes, random: Random) -> bytes:
    """Return ``before`` with some of the sectors in which ``after`` differs; one may be torn."""
    kept = bytearray(before.ljust(len(after), b"\0"))
    share = random.choice((0.1, 0.5, 0.9))
    for start in range(0, len(after), SECTOR):
        new = after[start : start + SECTOR]
        if new != kept[start : start + len(new)] and random.random() < share:
            end = random.randrange(1, SECTOR) if random.random() < 0.02 else SECTOR
            kept[start : start + len(new[:end])] = new[:end]
    return bytes(
        kept[: random.choice((len(before), len(after)))] if len(after) > len(before) else kept
    )


def cut(before: Files, after: Files, witnesses: list[bytes], random: Random) -> Files:
    """Return what a power cut between two commits may leave."""
    log_before, log_after = before.get("-wal", b""), after.get("-wal", b"")
    left = dict(before)
    left[".witness"] = random.choice(witnesses)
    if random.random() < 0.5 or before[""] == after[""]:
        left["-wal"] = some_sectors(log_before, log_after, random)
    else:
        left["-wal"] = log_after if len(log_after) >= len(log_before) else log_before
        left[""] = some_sectors(before[""], after[""], random)
    return left


class Remembered:
    """What one life has acknowledged."""

    def __init__(self) -> None:
        self.begun = self.promised = Ballot.ZERO
        self.votes: dict[int, Ballot] = {}

    def take(self, records: list[Record]) -> None:
        for record in records:
            if isinstance(record, Begun):
                self.begun = record.ballot
            elif isinstance(record, Promised):
                self.promised = max(self.promised, record.ballot)
            elif isinstance(record, Voted):
                self.votes[record.slot] = record.ballot
                self.promised = max(self.promised, record.ballot)

    def check(self, journal: SqliteJournal) -> None:
        """Compare with what a new life recovers."""
        found = list(journal.recover())
        begun = max((r.ballot for r in found if isinstance(r, Begun)), default=Ballot.ZERO)
        promised = max((r.ballot for r in found if isinstance(r, Promised)), default=Ballot.ZERO)
        votes = {record.slot: record.ballot for record in found if isinstance(record, Voted)}
        assert begun >= self.begun, "a ballot that was begun is forgotten"
        assert promised >= self.promised, "a promise is forgotten"
        for slot, ballot in self.votes.items():
            learned = slot < journal.frontier
            assert learned or votes.get(slot, Ballot.ZERO) >= ballot, (
                f"a vote in {slot} is forgotten"
            )
        assert journal.doubt == "", f"nothing was forgotten, and yet: {journal.doubt}"


def next_records(number: int, frontier: int) -> list[Record]:
    ballot = Ballot(number // 5 + 1, "node2")
    records: list[Record] = [Voted(number, ballot, value(number))]
    if number % 7 == 0:
        records.append(Promised(Ballot(number // 5 + 1, "node3")))
    if number % 11 == 0:
        records.append(Begun(Ballot(number + 1, "node1")))
    if number % 3 == 0 and number > frontier:
        records += [Learned(slot, None, value(slot)) for slot in range(frontier, number)]
    return records


def cut_life(folder: Path, random: Random, count: int) -> Counter[str]:
    """Run one life and cut its power ``count`` times, each time in a copy of its files."""
    path, copy = folder / "node1.db", folder / "cut" / "node1.db"
    copy.parent.mkdir(exist_ok=True)
    outcomes = Counter[str]()
    journal = open_journal(path)
    journal._writer.execute("PRAGMA wal_autocheckpoint = 20")  # often, for there is little time
    remembered, before = Remembered(), read_files(path)
    witnesses = [before[".witness"]]
    chosen = Counter(random.randrange(WRITES) for _ in range(count))
    for number in range(WRITES):
        records = next_records(number, journal.frontier)
        journal.write(records)
        after = read_files(path)
        for _ in range(chosen[number]):
            for part, data in cut(before, after, witnesses, random).items():
                Path(f"{copy}{part}").write_bytes(data)
            opened = open_journal(copy)
            remembered.check(opened)
            has_it = opened.frontier > number or any(
                isinstance(r, Voted) and r.slot == number for r in opened.recover()
            )
            outcomes["with the write" if has_it else "without it"] += 1
            opened.close()
            for file in copy.parent.iterdir():
                file.unlink()
        remembered.take(records)
        before = after
        witnesses.append(after[".witness"])
    journal.close()
    for file in folder.glob("node1.db*"):
        file.unlink()
    return outcomes


def cut_many(count: int, seed: int) -> Counter[str]:
    """Cut the power ``count`` times; return how it left the write that was under way."""
    random, outcomes = Random(seed), Counter[str]()
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=place if place.is_dir() else None) as name:
        while outcomes.total() < count:
            outcomes += cut_life(Path(name), random, min(200, count - outcomes.total()))
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=1_000, help="how many cuts (default 1,000)")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(dict(cut_many(asked.count, asked.seed)))


if __name__ == "__main__":
    main()
