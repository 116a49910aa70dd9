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

from attrs import asdict, evolve, frozen

import paxos
from benchmarks.member import Counters, Drive, Member, members

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
    try:
        with members(cluster, None if asked.no_sync else where) as processes:
            _tell(f"driving {asked.inflight} in flight for {asked.seconds:g} s")
            measured = measure(processes, Drive(asked.inflight, asked.seconds))
    except NoLeader as error:
        sys.exit(str(error))
    about = {"nodes": asked.nodes, "inflight": asked.inflight, "durable": not asked.no_sync}
    print(json.dumps(asdict(measured) | about))


class NoLeader(Exception):  # noqa: N818 - it says what happened
    """Nobody leads, or another than before."""


@frozen
class Measured:
    """Rates, latencies and counts per command; the counts are over all members."""

    ops_s: float
    p50_us: float
    p99_us: float
    cpu_us_per_command: float
    datagrams_per_command: float
    transactions_per_command: float
    switches_per_command: float
    commands_per_slot: float


def measure(processes: list[Member], drive: Drive, *, at_leader: bool = True) -> Measured:
    """Drive the cluster through its leader, or through a follower.

    Raises:
        NoLeader: Nobody leads, or the leader changed under way.

    """
    leader = await_leader(processes)
    driver = leader if at_leader else next(one for one in processes if one is not leader)
    driver.drive(evolve(drive, seconds=WARM_UP * drive.seconds))
    before, counted_before = leader.count(), _count(processes)
    driven = driver.drive(drive)
    after, counted_after = leader.count(), _count(processes)
    if not after.leading:
        raise NoLeader("the leader changed under way: measure again")
    spent, commands = counted_after - counted_before, driven.commands
    return Measured(
        ops_s=round(commands / driven.elapsed, 1),
        p50_us=round(driven.p50 * 1e6, 1),
        p99_us=round(driven.p99 * 1e6, 1),
        cpu_us_per_command=round(spent.cpu * 1e6 / commands, 2),
        datagrams_per_command=round(spent.datagrams / commands, 3),
        transactions_per_command=round(spent.transactions / commands, 3),
        switches_per_command=round(spent.switches / commands, 3),
        commands_per_slot=round(commands / max(1, after.slots - before.slots), 2),
    )


def await_leader(processes: list[Member]) -> Member:
    """Return whoever leads; raise `NoLeader` when nobody does for long."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        for process in processes:
            if process.count().leading:
                return process
        time.sleep(0.05)
    raise NoLeader(f"nobody leads after {LIMIT:g} seconds")


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
