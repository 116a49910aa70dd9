"""One life at a time: the lock that keeps a second process away from a journal."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from paxos.forks import Private
from paxos.journal.base import JournalError


class JournalLock(Private):
    """An exclusive lock on ``path`` + ``.lock``, held until `close` or the end of the process.

    Forks of the process let go of it. It is not on the journal itself: SQLite's own locks there are
    POSIX locks, which the kernel drops when *any* descriptor of that file is closed in the process;
    and its exclusive mode would also lock out the person who only wants to look.

    The lock file stays when the lock is released: to delete it would let two processes lock two
    files of the same name. It holds the process id of whoever locked it last.

    Raises:
        JournalError: Another process, or this one, has the journal open.
        OSError: The lock file cannot be made.

    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = -1
        self._file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._file, 20).decode(errors="replace").strip() or "unknown"
            self.close()
            raise JournalError(
                f"journal {path} is already open, in process {owner}; "
                "one node has one journal, and one process at a time may open it"
            ) from None
        except BaseException:
            self.close()
            raise
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def let_go(self) -> None:
        """See `Private.let_go`: the lock is held by whoever else has the file open."""
        self.close()

    def close(self) -> None:
        """Release the lock; harmless when repeated."""
        if self._file >= 0:
            file, self._file = self._file, -1
            with contextlib.suppress(OSError):
                os.close(file)
