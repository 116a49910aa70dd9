"""A guard in one process, usable from several threads."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from paxos.errors import GuardBusy, StaleEpoch
from paxos.fencing.sql import MAX_EPOCH, SqlGuard, check_epoch

__all__ = ["MAX_EPOCH", "Guard"]

_RESOURCE: Final = "this"


class Guard:
    """Remembers the newest epoch of one election, and admits no older one.

    Args:
        path: A file that remembers it across restarts, made if missing; used by one process at a
            time. Without it a restart forgets.

    Raises:
        sqlite3.Error: The file cannot be used, or another process uses it.

    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._changed = threading.Condition()
        self._inside: dict[int, int] = {}
        """By epoch, how many acts are under way."""
        self._newest = 0
        self._memory = None if path is None else _Memory(path)
        if self._memory is not None:
            self._newest = self._memory.newest()

    @property
    def newest(self) -> int:
        """The newest epoch that was admitted or has asked to be; 0 before the first."""
        return self._newest

    @contextmanager
    def admit(self, epoch: int, timeout: float | None = None) -> Iterator[None]:
        """Act inside the block; acts of one epoch may be inside together, of two never.

        A newer epoch shuts older ones out when it asks, and waits for those that are inside.

        Args:
            epoch: The leader's fencing token.
            timeout: How many seconds to wait for older acts to end; None waits for as long as it
                takes.

        Raises:
            StaleEpoch: A newer epoch has been here.
            GuardBusy: Older acts are still under way after ``timeout`` seconds.
            sqlite3.Error: The newest epoch cannot be remembered; nothing was admitted.

        """
        self.enter(epoch, timeout)
        try:
            yield
        finally:
            self.leave(epoch)

    def enter(self, epoch: int, timeout: float | None = None) -> None:
        """Begin an act, as `admit` does, where a block does not fit; `leave` must follow."""
        check_epoch(epoch)
        with self._changed:
            if epoch > self._newest:
                if self._memory is not None:
                    self._memory.remember(epoch)  # before anything is admitted under it
                self._newest = epoch
                self._changed.notify_all()  # those that wait for an epoch shut out by now
            ended = self._changed.wait_for(
                lambda: epoch < self._newest or not any(e < epoch for e in self._inside), timeout
            )
            if epoch < self._newest:
                raise StaleEpoch(epoch, self._newest)
            if not ended:
                raise GuardBusy(
                    f"acts of an epoch older than {epoch} have not ended in {timeout:g} seconds; "
                    "nothing was done under the new one: try again"
                )
            self._inside[epoch] = self._inside.get(epoch, 0) + 1

    def leave(self, epoch: int) -> None:
        """End an act that `enter` admitted."""
        with self._changed:
            self._inside[epoch] -= 1
            if not self._inside[epoch]:
                del self._inside[epoch]
                self._changed.notify_all()

    def close(self) -> None:
        """Close the file, if there is one."""
        with self._changed:
            if self._memory is not None:
                self._memory.close()


class _Memory:
    """The newest epoch on disk: a database of one row, locked for one process."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._guard = SqlGuard(_RESOURCE, paramstyle=sqlite3.paramstyle)
        self._db = sqlite3.connect(path, timeout=0, check_same_thread=False)
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA synchronous = EXTRA")  # the directory entry of its journal, too
        self._guard.create(self._db)
        self._db.execute("BEGIN EXCLUSIVE")
        self._db.commit()  # the lock stays

    def newest(self) -> int:
        return self._guard.newest(self._db)

    def remember(self, epoch: int) -> None:
        with self._db:
            self._guard.admit(self._db, epoch)

    def close(self) -> None:
        self._db.close()
