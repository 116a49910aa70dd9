"""A process that holds a node open and does nothing else, to see what a node takes.

    python -m benchmarks.peers.idle CLUSTER_FILE NAME [FOLDER]

Without a folder the journal is in memory. It says when it knows a leader and has settled.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import trio

import paxos
from benchmarks.nothing import Nothing
from paxos.journal import MemoryJournal

READY = "the node is idle"
SETTLING = 1.0
"""Seconds with a leader before it says so."""


async def main(file: str, name: str, folder: str = "") -> None:
    """Hold the node open until the process is killed."""
    data = Path(folder) / f"idle-{name}.db" if folder else MemoryJournal()
    cluster = paxos.Cluster.load(file)
    async with paxos.open_node(cluster, name, data=data, machine=Nothing()) as node:
        while node.leader is None:
            await trio.sleep(0.05)
        await trio.sleep(SETTLING)
        print(READY, flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(partial(main, *sys.argv[1:]))
