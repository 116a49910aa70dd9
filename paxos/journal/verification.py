"""Everything that can be found out about a journal file without changing it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from attrs import frozen

from paxos.journal.base import JournalCorrupt, JournalError
from paxos.journal.checks import (
    check_beginning,
    check_open_votes,
    check_slot,
    checked_piece,
    checked_snapshot,
    checked_value,
)
from paxos.journal.lock import JournalLock
from paxos.journal.tables import connect, is_new, misplaced, read_facts
from paxos.journal.witness import Mark, Witness, doubt

_VOTES = "SELECT slot, number, node, note, value, crc FROM votes ORDER BY slot"
_CHOSEN = "SELECT slot, NULL, NULL, note, value, crc FROM chosen ORDER BY slot"


@frozen
class Report:
    """What a journal says about itself, and what speaks against it."""

    facts: dict[str, object]
    """The rows of ``about``; empty where they cannot be read."""
    findings: tuple[str, ...]
    """What is wrong, one sentence each; a journal without any may vote."""


def verify(path: Path) -> Report:
    """Read all of a journal that no node has open, and compare it with its checksums and witness.

    Raises:
        JournalError: There is no such file, it is no journal, or a process has it open.

    """
    path = path.resolve()
    if not path.is_file():
        raise JournalError(f"there is no journal {path}")
    try:
        lock = JournalLock(path)
    except OSError as error:  # such as a disk that is mounted for reading alone
        raise JournalError(
            f"journal {path} cannot be locked, and may be in use: {error.strerror}; make a copy of "
            "it and of all files of its name beside it, where they can be written, and verify that"
        ) from error
    try:
        with closing(connect(path, "ro")) as db:
            return _verify(db, path)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return Report({}, (f"SQLite cannot read the file: {error}",))
    except JournalCorrupt as error:
        return Report({}, (str(error),))
    finally:
        lock.close()


def _verify(db: sqlite3.Connection, path: Path) -> Report:
    if is_new(db, path):
        return Report({}, (_missing_witness(path) or "the file is empty",))
    facts = read_facts(db, path)
    findings = [f"SQLite: {finding}" for finding in misplaced(db)]
    findings += _rows(db, path)
    findings += _log(db, path, facts)
    findings += _witness(path, facts)
    if facts.get("doubt"):
        findings.append(f"it is in doubt: {facts['doubt']}")
    return Report(facts, tuple(findings))


def _rows(db: sqlite3.Connection, path: Path) -> Iterator[str]:
    """Compare every row with its checksum."""
    for check, rows in (
        (checked_value, _VOTES),
        (checked_value, _CHOSEN),
        (checked_snapshot, "SELECT position, length, digest, crc FROM snapshots"),
        (checked_piece, "SELECT position, idx, data, crc FROM pieces"),
    ):
        for row in db.execute(rows):
            yield from _broken(check, path, *row)


def _log(db: sqlite3.Connection, path: Path, facts: dict[str, object]) -> Iterator[str]:
    """See that no slot is missing that was learned, and no vote that is open."""
    first, frontier = int(str(facts["first"])), int(str(facts["frontier"]))
    expected = int(str(facts["writes"]).split(" ")[2], 16)
    slots = {slot for (slot,) in db.execute("SELECT slot FROM log")}
    missing = next((slot for slot in range(first, frontier) if slot not in slots), None)
    if missing is not None:
        yield from _broken(check_slot, path, missing, None)
    crcs = [crc for (crc,) in db.execute("SELECT crc FROM votes WHERE slot >= ?", (frontier,))]
    yield from _broken(check_open_votes, path, frontier, crcs, expected)
    (position,) = db.execute("SELECT max(position) FROM snapshots").fetchone()
    yield from _broken(check_beginning, path, first, position or 0, frontier)


def _broken(check: Callable[..., object], *given: object) -> Iterator[str]:
    """Return what a check finds, if it finds anything."""
    try:
        check(*given)
    except JournalCorrupt as error:
        yield str(error)


def _missing_witness(path: Path) -> str:
    if not Path(f"{path}.witness").exists():
        return f"{path}.witness is gone, so nothing tells whether the journal is complete"
    return ""


def _witness(path: Path, facts: dict[str, object]) -> Iterator[str]:
    if missing := _missing_witness(path):
        yield missing
        return
    count, chain, _ = str(facts["writes"]).split(" ")
    witness = Witness(path)
    try:
        why = doubt(Mark(int(str(facts["identity"]), 16), int(count), int(chain, 16)), witness)
    finally:
        witness.close()
    if why:
        yield why
