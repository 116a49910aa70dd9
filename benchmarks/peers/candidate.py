"""A process that stands in an election by a recipe of a Python client, and says when it holds it.

    python -m benchmarks.peers.candidate kazoo HOSTS SECONDS
    python -m benchmarks.peers.candidate pysyncobj ADDRESS OTHERS SECONDS

SECONDS are the session's timeout, or the lock's. HOSTS and OTHERS are joined by commas.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from typing import Final

HOLDS: Final = "holds"
"""The line that it prints."""

AGAIN: Final = 0.005
"""Seconds between two attempts where a recipe has no way to wait."""


def hold() -> None:
    """Say that this process holds the election, and do so until it is killed."""
    print(HOLDS, flush=True)
    while True:
        signal.pause()


def kazoo(hosts: str, seconds: str) -> None:
    """Stand by ZooKeeper's recipe."""
    from kazoo.client import KazooClient

    client = KazooClient(hosts, timeout=float(seconds))
    client.start(timeout=60)
    client.Election("/election").run(hold)


def pysyncobj(address: str, others: str, seconds: str) -> None:
    """Be a node of PySyncObj, and try to take a lock that unlocks itself."""
    from pysyncobj import SyncObj, SyncObjConf, SyncObjException
    from pysyncobj.batteries import ReplLockManager

    locks = ReplLockManager(autoUnlockTime=float(seconds))
    conf = SyncObjConf(appendEntriesPeriod=0.01)
    store = SyncObj(address, others.split(","), conf, consumers=[locks])
    store.waitReady()
    taken = False
    while not taken:
        time.sleep(AGAIN)
        with contextlib.suppress(SyncObjException):  # nobody leads the cluster at the moment
            taken = locks.tryAcquire("election", sync=True, timeout=0.1)
    hold()


if __name__ == "__main__":
    _, recipe, *arguments = sys.argv
    (kazoo if recipe == "kazoo" else pysyncobj)(*arguments)
