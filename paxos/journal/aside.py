"""A damaged journal steps aside: kept for whoever wants to look, and replaced by a new one."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

from paxos.journal.base import JournalError
from paxos.journal.lock import JournalLock
from paxos.journal.tables import sync_directory


def set_aside(path: Path) -> Path:
    """Rename a journal's files, all but the witness, and return the file's new path.

    The witness stays where it is: so the journal that is made next is in doubt, as it must be.

    Raises:
        JournalError: The files cannot be renamed, or somebody has the journal open.

    """
    lock = JournalLock(path)
    try:
        aside = next(
            candidate
            for number in count(1)
            if not (candidate := path.with_name(f"{path.name}.damaged-{number}")).exists()
        )
        # The log goes first: without its file it is nothing, and the file without it is older.
        for part in ("-wal", "-shm", ""):
            if (file := Path(f"{path}{part}")).exists():
                os.replace(file, f"{aside}{part}")
        sync_directory(path.parent)
    except OSError as error:
        raise JournalError(f"journal {path} cannot be set aside: {error.strerror}") from error
    finally:
        lock.close()
    return aside
