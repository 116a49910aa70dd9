"""Backups, and new clusters that begin with what another cluster has decided.

A copy of a journal must never take part in the cluster from which it was taken: it would deny what
its original has promised since. So a backup is in doubt for ever, and serves for one thing: to give
every member of a *new* cluster a journal with the same log, and without promises and votes.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from paxos.journal.base import JournalError
from paxos.journal.tables import connect, is_new, read_facts, sync_directory, update_about
from paxos.journal.witness import Mark, Witness
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Voted
from paxos.protocol.values import Value

_FRONTIER = "SELECT CAST(value AS INTEGER) FROM about WHERE key = 'progress'"

IS_BACKUP = "this is a backup: it may only be restored into a new cluster"


def back_up(journal: Path, target: Path) -> None:
    """Make a consistent copy of a journal, whether or not its node runs.

    Raises:
        JournalError: There is no such journal, the target exists, or something cannot be written.

    """
    if not journal.is_file():
        raise JournalError(f"there is no journal {journal}")
    _claim(target)
    try:
        with closing(connect(journal.resolve(), "ro")) as db:
            if is_new(db, journal):
                raise JournalError(f"journal {journal} is empty: there is nothing to back up")
            with closing(connect(target.resolve(), "rw")) as copy:
                db.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, and nothing beside it
                read_facts(copy, journal)
                update_about(copy, "doubt", IS_BACKUP)
    except sqlite3.Error as error:
        target.unlink()
        raise JournalError(f"journal {journal} cannot be backed up: {error}") from error
    except JournalError:
        target.unlink()
        raise
    sync_directory(target.resolve().parent)


def seed(source: Path, target: Path, *, cluster: str, node: str) -> None:
    """Make the journal of a member of a new cluster from a backup, or from another's journal.

    It has the log and the snapshots of the source, and promises nothing. Every member of the new
    cluster must be given one: members with empty journals would be a quorum that knows nothing.

    Raises:
        JournalError: The source is no intact journal, it is of that very cluster, or the target
            exists.

    """
    _claim(target)
    try:
        with closing(connect(source.resolve(), "ro")) as db:
            if is_new(db, source):
                raise JournalError(f"{source} is empty")
            facts = read_facts(db, source)
            if facts.get("cluster") == cluster:
                raise JournalError(
                    f"{source} is of the cluster {cluster} itself, where a copy must never take "
                    "part; make a new cluster with paxos init"
                )
            with closing(connect(target.resolve(), "rw")) as copy:
                db.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")
                identity = _make_new(copy, cluster, node)
    except sqlite3.Error as error:
        target.unlink()
        raise JournalError(f"{source} cannot be restored: {error}") from error
    except JournalError:
        target.unlink()
        raise
    with closing(Witness(target)) as witness:  # as if the journal had written all of it
        witness.note(Mark(identity, 0, 0))
    sync_directory(target.resolve().parent)


def open_votes(journal: Path, decode: Callable[[bytes], Value]) -> list[Voted]:
    """Return what a node voted for in slots that it has not learned, without opening a life."""
    with closing(connect(journal.resolve(), "ro")) as db:
        frontier = int(str(read_facts(db, journal)["frontier"]))
        rows = db.execute("SELECT slot, number, node, value FROM votes WHERE slot >= ?", [frontier])
        return [
            Voted(slot, Ballot(number, node), decode(data)) for slot, number, node, data in rows
        ]


def _claim(target: Path) -> None:
    """Make the target as an empty file that only its owner can read; it must not exist."""
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise JournalError(f"{target} cannot be made: {error.strerror}") from error


def _make_new(db: sqlite3.Connection, cluster: str, node: str) -> int:
    """Turn a copy into the journal of a member that has learned all this and said nothing."""
    identity = secrets.randbits(62) + 1
    db.execute("BEGIN IMMEDIATE")
    (frontier,) = db.execute(_FRONTIER).fetchone()
    db.execute("DELETE FROM votes WHERE slot >= ?", (frontier,))
    for key, value in {
        "cluster": cluster,
        "node": node,
        "identity": f"{identity:016x}",
        "boot": 0,
        "begun": "0.",
        "promised": "0.",
        "progress": f"{frontier} 0 00000000 00000000",
        "doubt": "",
    }.items():
        update_about(db, key, value)
    db.execute("COMMIT")
    return identity
