"""What a flood of forged datagrams at one member's port costs the cluster.

    python -m benchmarks.flood --rate 100000 --seconds 4

Every member is an embedded node in a process of its own, with its journal in memory. The leader
proposes, with so many in flight, first in peace and then while another process sends what it can
to one member's port: noise, headers with invented boots, and altered copies of authentic
datagrams. The last line of the output is JSON; ``ratio`` is the throughput under the flood by that
in peace, ``longest_ms`` the longest that any command took.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import socket
import time
from contextlib import suppress
from multiprocessing.sharedctypes import Synchronized
from typing import Final

import paxos
from benchmarks.member import Drive, Member, Seen, members
from benchmarks.node_load import await_leader
from paxos.wire import Reason, Sealer

PERIOD: Final = 0.001
"""Seconds between two bursts of the flood."""

KINDS: Final = ("noise", "invented", "altered")


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flood")
    parser.add_argument("--rate", type=int, default=100_000, help="forged datagrams a second")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long to measure each time")
    parser.add_argument("--inflight", type=int, default=64, help="proposals at once")
    parser.add_argument("--at", choices=("leader", "follower"), default="leader")
    parser.add_argument("--kind", choices=KINDS, help="one kind alone; by default all of them")
    asked = parser.parse_args(arguments)
    cluster = paxos.Cluster.local(3)
    with members(cluster, None) as processes:
        kinds = KINDS if asked.kind is None else (asked.kind,)
        print(json.dumps(measure(cluster, processes, asked, kinds)))


def measure(
    cluster: paxos.Cluster,
    processes: list[Member],
    asked: argparse.Namespace,
    kinds: tuple[str, ...],
) -> dict[str, object]:
    """Drive the cluster in peace and under the flood."""
    leader = await_leader(processes)
    follower = next(process for process in processes if process is not leader)
    victim = leader if asked.at == "leader" else follower
    address = cluster.members[processes.index(victim)]
    leader.drive(Drive(asked.inflight, 0.5))
    peace = leader.drive(Drive(asked.inflight, asked.seconds))
    sent = multiprocessing.get_context("spawn").Value("l", 0)
    attacker = multiprocessing.get_context("spawn").Process(
        target=flood,
        args=(cluster, address, asked.rate, asked.seconds + 1, kinds, sent),
        daemon=True,
    )
    before = victim.count()
    attacker.start()
    while sent.value == 0:
        time.sleep(0.01)
    start = time.perf_counter()
    war = leader.drive(Drive(asked.inflight, asked.seconds))
    rate = sent.value / (time.perf_counter() - start)
    after = victim.count()
    attacker.join(timeout=30)
    attacker.kill()
    return {
        "at": asked.at,
        "kinds": kinds,
        "flood_per_s": round(rate),
        "rejected_per_s": round((_rejected(after) - _rejected(before)) / asked.seconds),
        "ops_s_in_peace": round(peace.commands / peace.elapsed),
        "ops_s_under_flood": round(war.commands / war.elapsed),
        "ratio": round(war.commands / war.elapsed / (peace.commands / peace.elapsed), 2),
        "longest_ms_in_peace": round(peace.longest * 1e3, 1),
        "longest_ms_under_flood": round(war.longest * 1e3, 1),
        "still_leading": leader.count().leading,
        "peak_grown_mib": round((after.peak - before.peak) / 2**20, 1),
    }


def _rejected(seen: Seen) -> int:
    return sum(seen.statistics[reason.value] for reason in Reason)


def flood(
    cluster: paxos.Cluster,
    target: paxos.Member,
    rate: int,
    seconds: float,
    kinds: tuple[str, ...],
    sent: Synchronized[int],
) -> None:
    """Send forged datagrams at a rate, as far as this process keeps up with it."""
    forged = forgeries(cluster, target.name, kinds)
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.connect((target.host, target.port))
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            for _ in range(int(elapsed * rate) - sent.value):
                with suppress(OSError):
                    udp.send(forged[sent.value % len(forged)])
                sent.value += 1
            time.sleep(PERIOD)


def forgeries(cluster: paxos.Cluster, target: str, kinds: tuple[str, ...]) -> list[bytes]:
    """Return what an attacker without the key can send, who has recorded some traffic."""
    chance = random.Random(1)  # noqa: S311  a flood, no secret
    names = [name for name in cluster.names if name != target]
    recorded = [Sealer(cluster.name, cluster.keys, name) for name in names]
    forged: list[bytes] = []
    for number in range(2_000):
        kind = kinds[number % len(kinds)]
        datagram = bytearray(recorded[number % len(names)].seal(target, chance.randbytes(60)))
        if kind == "noise":
            forged.append(chance.randbytes(chance.randrange(1, 200)))
            continue
        # Names are as long as one another: the boot begins after them.
        at = 8 + 2 * len(target) if kind == "invented" else len(datagram) - 1
        datagram[at] ^= 1 + chance.randrange(255)
        forged.append(bytes(datagram))
    return forged


if __name__ == "__main__":
    main()
