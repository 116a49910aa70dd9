"""Everything that can be found out about a journal file without changing it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from attrs import frozen

from paxos.journal.base import JournalCorrupt, JournalError
from paxos.journal.compaction import checked_piece
from paxos.journal.lock import JournalLock
from paxos.journal.tables import checksum, connect, is_new, read_facts
from paxos.journal.witness import Mark, Witness, doubt

_VOTES = "SELECT slot, number, node, note, value, crc FROM votes ORDER BY slot"
_CHOSEN = "SELECT slot, note, value, crc FROM chosen ORDER BY slot"


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
    lock = JournalLock(path)
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
    findings = [f"SQLite: {row[0]}" for row in db.execute("PRAGMA quick_check") if row[0] != "ok"]
    findings += _rows(db, path)
    findings += _log(db, facts)
    findings += _witness(path, facts)
    if facts.get("doubt"):
        findings.append(f"it is in doubt: {facts['doubt']}")
    return Report(facts, tuple(findings))


def _rows(db: sqlite3.Connection, path: Path) -> Iterator[str]:
    """Compare every row with its checksum."""
    for slot, number, node, note, value, crc in db.execute(_VOTES):
        if crc != checksum(_bytes(value), "votes", slot, number, node, note):
            yield f"the vote in slot {slot} ({note!r}) does not match its checksum"
    for slot, note, value, crc in db.execute(_CHOSEN):
        if crc != checksum(_bytes(value), "chosen", slot, note):
            yield f"the value of slot {slot} ({note!r}) does not match its checksum"
    for position, length, digest, crc in db.execute("SELECT * FROM snapshots"):
        if crc != checksum(_bytes(digest), "snapshots", position, length):
            yield f"what is said of the snapshot of position {position} does not match its checksum"
    for position, index, data, crc in db.execute("SELECT position, idx, data, crc FROM pieces"):
        try:
            checked_piece(path, position, index, data, crc)
        except JournalCorrupt as error:
            yield str(error)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else repr(value).encode()


def _log(db: sqlite3.Connection, facts: dict[str, object]) -> Iterator[str]:
    """See that no slot is missing that was learned, and no vote that is open."""
    try:
        first, frontier = int(str(facts["first"])), int(str(facts["frontier"]))
        expected = int(str(facts["writes"]).split(" ")[2], 16)
    except (KeyError, ValueError, IndexError) as error:
        yield f"about lacks a fact: {error}"
        return
    slots = {slot for (slot,) in db.execute("SELECT slot FROM log")}
    missing = next((slot for slot in range(first, frontier) if slot not in slots), None)
    if missing is not None:
        yield f"slot {missing} was learned, and its value is missing"
    found = 0
    for (crc,) in db.execute("SELECT crc FROM votes WHERE slot >= ?", (frontier,)):
        found ^= crc if isinstance(crc, int) else -1
    if found != expected:
        yield f"a vote in a slot from {frontier} on is missing or was changed"
    position = db.execute("SELECT max(position) FROM snapshots").fetchone()[0]
    if first > (position or 0):
        yield f"the log begins at slot {first}, and the snapshot of what was before is missing"


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
