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
from paxos.node.storing import QUICK_SECONDS
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
    help, so there it is an error. So it is where no witness tells that the file ever was a
    journal: then it may be anything. ``damaged`` hears what was found, and what was done.

    Raises:
        JournalCorrupt: The journal is damaged, and the node is the only member.
        JournalError: The journal cannot be opened, or others can use its files; the text says why.

    """
    path = Path(os.path.realpath(path))  # its companions lie beside the file, not beside a link
    for part in PARTS:
        _require_private(Path(f"{path}{part}"))
    witnessed = _was_journal(path)
    try:
        return _open(path, cluster, name)
    except JournalCorrupt as error:
        if len(cluster.members) == 1:
            raise
        if not witnessed:
            raise JournalError(
                f"{error}; it is left alone, for without {path}.witness nothing tells "
                "that it is a journal: if it is none, give another path; if it is, move it away, "
                "and the node asks the others for its content"
            ) from error
        aside = set_aside(path)
        damaged(f"{error}; it is kept as {aside.name}, and the others are asked for its content")
        return _open(path, cluster, name)


def _open(path: Path, cluster: Cluster, name: str) -> Journal:
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


def _was_journal(path: Path) -> bool:
    """Return whether a witness lies beside the file that has seen it written."""
    try:
        return Path(f"{path}.witness").stat().st_size > 0
    except OSError:
        return False


def _require_private(path: Path) -> None:
    """Refuse a file that others could have read or changed: it holds what the cluster decides."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # it is made private, or opening it says what is wrong
    if stat.S_ISREG(mode) and mode & 0o077:
        raise JournalError(
            f"the journal's file {path} can be used by others than its owner "
            f"(mode {stat.S_IMODE(mode):04o}); run: chmod 600 {path}"
        )
