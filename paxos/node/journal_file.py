"""How a node comes to its journal: opened, read to its end, and replaced if it is damaged."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from paxos.journal import Journal, JournalCorrupt, JournalError, SqliteJournal, set_aside
from paxos.node.cluster import Cluster
from paxos.node.snapshots import load_snapshot
from paxos.node.storage import QUICK_SECONDS
from paxos.protocol.records import Snapshotted
from paxos.wire import decode_value, encode_value

TRIALS: Final = 4
"""How many empty writes tell that a disk is not quick; one that is quick will do, for others may
disturb."""

PARTS: Final = ("", "-wal", "-shm", ".witness")
"""What a journal's files add to its path."""


def open_journal(
    path: str | os.PathLike[str], cluster: Cluster, name: str, damaged: Callable[[str], None]
) -> Journal:
    """Open a node's journal and read all of it.

    A damaged one is set aside for a new one, which is in doubt: the node learns the log from the
    others and votes again when they have readmitted it. Where there are no others nobody could
    help, so there it is an error. ``damaged`` hears what was found, and what was done.

    Raises:
        JournalCorrupt: The journal is damaged, and the node is the only member.
        JournalError: The journal cannot be opened, or others can use its files; the text says why.

    """
    for part in PARTS:
        _require_private(Path(f"{os.fspath(path)}{part}"))
    try:
        return _open(path, cluster, name)
    except JournalCorrupt as error:
        if len(cluster.members) == 1:
            raise
        aside = set_aside(Path(path).resolve())
        damaged(f"{error}; it is kept as {aside.name}, and the others are asked for its content")
        return _open(path, cluster, name)


def _open(path: str | os.PathLike[str], cluster: Cluster, name: str) -> Journal:
    journal = SqliteJournal(
        path, cluster=cluster.name, node=name, encode=encode_value, decode=decode_value
    )
    try:
        for record in journal.recover():  # damage must be found before the node says anything
            if isinstance(record, Snapshotted):
                for _ in load_snapshot(journal, record).machine:
                    pass
    except BaseException:
        journal.close()
        raise
    return journal


def is_quick(journal: Journal) -> bool:
    """Try whether the journal's disk syncs so quickly that the Trio loop may write by itself."""
    for _ in range(TRIALS):
        began = time.perf_counter()
        journal.write(())
        if time.perf_counter() - began <= QUICK_SECONDS:
            return True
    return False


def _require_private(path: Path) -> None:
    """Refuse a file that others could have read or changed: it holds what the cluster decides."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return  # it is made private, or opening it says what is wrong
    if mode & 0o077:
        raise JournalError(
            f"the journal's file {path} can be used by others than its owner (mode {mode:04o}); "
            f"run: chmod 600 {path}"
        )
