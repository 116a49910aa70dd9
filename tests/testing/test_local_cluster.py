"""Real processes behind the relay; a few seconds altogether."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import trio

from paxos.replicated.values import Batch, Command, Leadership, LogValue, Session
from paxos.testing import Faults, LocalCluster
from paxos.testing.processes import Link, LogsDiffer, MemberEnded, compare_logs

LIMIT = 45.0
"""Seconds after which a test fails; it takes a few."""


async def new_leader(cluster: LocalCluster, not_this: str) -> Leadership:
    while True:
        leadership = await cluster.leader()
        if leadership.leader != not_this:
            return leadership


async def test_a_leader_that_is_heard_by_nobody_is_succeeded_and_returns_as_a_follower() -> None:
    async with LocalCluster() as cluster:
        with trio.fail_after(LIMIT):
            first = await cluster.leader()
            await cluster.all_answer()
            deaf = [link for link in cluster.links if link.source == first.leader]
            for link in deaf:  # one way: it still hears everybody
                link.cut()
            second = await new_leader(cluster, first.leader)
            cluster.heal()
            async with cluster.client() as client:
                slot, _ = await client.propose(b"w x 1")
                status = await client.status()
                while (lagging := status[first.leader]) is None or lagging.frontier <= slot:
                    status = await client.status()
            assert await cluster.leader() == second  # who was cut off deposes nobody
        assert [await cluster.stop(name) for name in cluster.names] == [0, 0, 0]
        log = cluster.compare_logs()
        assert log.leaderships == (first, second)
        assert log.applied == ((slot, b"w x 1"),)
        assert all(link.counts["cut"] for link in deaf)


async def test_an_error_in_the_block_is_raised_as_it_is_and_ends_every_process() -> None:
    processes: list[trio.Process] = []

    async def fail_inside() -> None:
        async with LocalCluster(2) as cluster:
            processes.extend(cluster._processes.values())
            cluster.pause("node1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_inside()
    assert [process.poll() for process in processes] == [-signal.SIGKILL] * 2


async def test_a_member_that_ends_by_itself_is_reported_with_its_last_words() -> None:
    async with LocalCluster(1, machine="nowhere:Machine") as cluster:
        with trio.fail_after(LIMIT), pytest.raises(MemberEnded, match="no state machine nowhere"):
            await cluster.leader()


PARENT = """
import trio
from paxos.testing import LocalCluster

async def main():
    async with LocalCluster(2) as cluster:
        await cluster.all_answer()
        cluster.pause("node1")
        print(*(process.pid for process in cluster._processes.values()), flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # else it has ended, and whoever inherits it has not looked yet


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it looks at /proc")
async def test_members_end_with_a_parent_that_is_killed_even_while_they_are_paused() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        members = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(members) == 2
        assert all(is_alive(pid) for pid in members)
        parent.kill()
        parent.wait()
        with trio.fail_after(LIMIT):
            while any(is_alive(pid) for pid in members):
                await trio.sleep(0.01)


def test_a_link_counts_what_it_does_to_datagrams() -> None:
    link = Link("node1", "node2", Random(1))
    assert link.carry(b"x") == [(0.0, b"x")]
    link.faults = Faults(shortest=0.1, longest=0.2, loss=0.3, duplication=0.3, corruption=0.3)
    arrived = [link.carry(bytes(10)) for _ in range(300)]
    counts = link.counts
    assert counts["lost"] == arrived.count([]) == 301 - counts["passed"]
    assert counts["duplicated"] == sum(len(copies) == 2 for copies in arrived)
    bits = [sum(map(int.bit_count, copies[0][1])) for copies in arrived if copies]
    assert set(bits) == {0, 1}
    assert counts["corrupted"] == sum(bits)
    assert min(counts["lost"], counts["duplicated"], counts["corrupted"]) > 50
    assert all(0.1 <= delay <= 0.2 for copies in arrived for delay, _ in copies)
    link.cut()
    assert link.carry(b"x") == []
    link.heal()
    assert link.carry(b"x") == [(0.0, b"x")]


def batch(name: str, number: int, data: bytes) -> Batch:
    return Batch((Command(Session(name, 1), number, data),))


def test_logs_that_differ_are_told_apart_and_repetitions_take_effect_once() -> None:
    first, second = Leadership("node1", 1), Leadership("node2", 2)
    log: list[LogValue] = [first, batch("node1", 0, b"a"), batch("node1", 0, b"a"), second]
    compared = compare_logs({"node1": log[:2], "node2": log, "node3": []})
    assert compared.leaderships == (first, second)
    assert compared.applied == ((1, b"a"),)
    with pytest.raises(LogsDiffer, match="slot 1: node2 has 1 command, and node1 has 1 command"):
        compare_logs({"node1": log, "node2": [first, batch("node1", 0, b"b")]})
    with pytest.raises(LogsDiffer, match="slot 1: leader=node2, epoch=2 follows 0 leaderships"):
        compare_logs({"node1": [log[1], second]})
