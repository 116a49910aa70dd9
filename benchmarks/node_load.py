"""How many commands a cluster decides, and how soon: real processes, durable journals.

    python -m benchmarks.node_load --where DIR --inflight 256 --seconds 5

Every member is an embedded node in a process of its own. Whoever leads proposes commands of 100
bytes, so many in flight at once. Counts are per command and over all members; they depend far less
on the machine than times do. The last line of the output is JSON; what happens is told on standard
error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import paxos
from benchmarks.member import Counters, Member, members

LIMIT = 20.0
"""Seconds within which somebody must lead."""

WARM_UP = 0.25
"""How much of the time is proposed for before anything is measured."""


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print."""
    asked = _parse(arguments)
    where: Path = asked.where
    if where.exists() and any(where.iterdir()):
        sys.exit(f"{where} is not empty: journals must be new")
    where.mkdir(parents=True, exist_ok=True)
    cluster = paxos.Cluster.local(asked.nodes)
    with members(cluster, None if asked.no_sync else where) as processes:
        result = measure(processes, asked.inflight, asked.seconds)
    about = {"nodes": asked.nodes, "inflight": asked.inflight, "durable": not asked.no_sync}
    print(json.dumps(result | about))


def measure(processes: list[Member], inflight: int, seconds: float) -> dict[str, float]:
    """Drive the cluster through its leader; return rates, latencies and counts per command."""
    leader = await_leader(processes)
    _tell("warming up")
    leader.drive(inflight, WARM_UP * seconds)
    before, counted_before = leader.count(), _count(processes)
    _tell(f"driving {inflight} in flight for {seconds:g} s")
    driven = leader.drive(inflight, seconds)
    after, counted_after = leader.count(), _count(processes)
    if not after.leading:
        sys.exit("the leader changed under way: measure again")
    spent, commands = counted_after - counted_before, driven.commands
    return {
        "ops_s": round(commands / driven.elapsed, 1),
        "p50_us": round(driven.p50 * 1e6, 1),
        "p99_us": round(driven.p99 * 1e6, 1),
        "cpu_us_per_command": round(spent.cpu * 1e6 / commands, 2),
        "datagrams_per_command": round(spent.datagrams / commands, 3),
        "transactions_per_command": round(spent.transactions / commands, 3),
        "switches_per_command": round(spent.switches / commands, 3),
        "commands_per_slot": round(commands / (after.slots - before.slots), 2),
    }


def await_leader(processes: list[Member]) -> Member:
    """Return the member that leads, once one does."""
    _tell(f"starting {len(processes)} processes")
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        for process in processes:
            if process.count().leading:
                return process
        time.sleep(0.05)
    sys.exit(f"nobody leads after {LIMIT:g} seconds")


def _count(processes: list[Member]) -> Counters:
    return sum((process.count().counters for process in processes), Counters())


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.node_load")
    parser.add_argument("--where", type=Path, required=True, help="a new folder for the journals")
    parser.add_argument("--inflight", type=int, required=True, help="proposals at once")
    parser.add_argument("--seconds", type=float, required=True, help="how long to measure")
    parser.add_argument("--nodes", type=int, default=3, help="how many members (default 3)")
    parser.add_argument("--no-sync", action="store_true", help="journals in memory only")
    return parser.parse_args(arguments)


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
