"""What belongs to one process alone, and of which a fork of that process lets go.

A fork has copies of all memory and all descriptors, and none of the threads. So it would keep a
port or a lock after the process that works with them has ended; and what it did with its copies
would pass for the acts of that process. Each object that holds such a thing is told in the fork.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from typing import Final
from weakref import WeakSet

from paxos.errors import ForkedProcess

PATIENCE: Final = 1.0
"""How long a fork waits at most for each lock of `Private.locks`, in seconds."""


class Native:
    """Knows in which process it was made."""

    def __init__(self) -> None:
        self.process: Final = os.getpid()
        """Where it was made."""

    @property
    def forked(self) -> bool:
        """Whether this process is a fork of the one where it was made."""
        return os.getpid() != self.process


class Private(Native, ABC):
    """Base of what belongs to the process in which it was made."""

    locks: tuple[threading.Lock, ...] = ()
    """Held while the process forks: whoever holds one is in the middle of something that a fork
    must not find half done."""

    def __init__(self) -> None:
        super().__init__()
        _all.add(self)

    @abstractmethod
    def let_go(self) -> None:
        """Release what a fork has of it, silently, and be of no use any more; in the fork."""


class Elsewhere:
    """Stands in a fork for something that lives on in the other process alone."""

    def __init__(self, process: int) -> None:
        self._process = process

    def __getattr__(self, name: str) -> object:
        raise elsewhere(self._process)


def elsewhere(process: int) -> ForkedProcess:
    """Return the error of who asks a fork for what is in the other process."""
    return ForkedProcess(
        f"process {os.getpid()} was forked from process {process}, where the node is open, and has "
        "none of its threads: open a node in each process, after the fork"
    )


_all: WeakSet[Private] = WeakSet()
_fork = threading.local()


def _before() -> None:
    wanted = [lock for private in list(_all) for lock in private.locks]
    _fork.held = [lock for lock in wanted if lock.acquire(timeout=PATIENCE)]


def _release() -> None:
    for lock in _fork.held:
        lock.release()


def _in_fork() -> None:
    for private in list(_all):
        private.let_go()
    _release()


os.register_at_fork(before=_before, after_in_parent=_release, after_in_child=_in_fork)
