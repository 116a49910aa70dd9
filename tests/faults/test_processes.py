"""Real processes, killed, paused and restarted at random under load; then their journals compared.

The counter answers each command with how many it has applied, so an answer tells
the command's place in the log, and a client hears of any command that was lost, doubled or moved.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trio
from attrs import define, field

import paxos
from paxos.testing.processes import LocalCluster, Log, syncs_can_fail

COUNTER = "paxos.machines:Counter"

LIMIT = 60.0
"""Seconds within which a cluster that is left alone must answer; it takes one or two."""

CLIENTS = 4


@define
class Clients:
    """Clients that propose without a pause, and what they were told."""

    cluster: paxos.Cluster
    answers: dict[bytes, tuple[int, bytes]] = field(factory=dict)
    """Slot and answer of every acknowledged command."""
    unknown: list[bytes] = field(factory=list)

    async def run(self, name: str) -> None:
        number = 0
        async with paxos.open_client(self.cluster) as client:
            while True:
                number += 1
                command = f"{name} {number}".encode()
                try:
                    self.answers[command] = await client.propose(command)
                except paxos.NoAnswer:
                    continue
                except paxos.OutcomeUnknown:
                    self.unknown.append(command)

    async def hear_more(self) -> None:
        """Wait for an answer from now; each client may first read one that has arrived already."""
        enough = len(self.answers) + CLIENTS + 1
        with trio.fail_after(LIMIT):
            while len(self.answers) < enough:
                await trio.sleep(0.01)


async def harm(cluster: LocalCluster, seconds: float, rng: random.Random) -> None:
    """Kill or pause somebody, again and again; all are running at the end."""
    with trio.move_on_after(seconds):
        while True:
            name = rng.choice(cluster.names)
            pause = rng.uniform(0.05, 0.5)
            with trio.CancelScope(shield=True):
                if rng.random() < 0.5:
                    cluster.pause(name)
                    await trio.sleep(pause)
                    cluster.resume(name)
                else:
                    await cluster.kill(name)
                    await trio.sleep(pause)
                    await cluster.start(name)
            await trio.sleep(pause)


async def restart_all(cluster: LocalCluster) -> None:
    for name in cluster.names:
        await cluster.kill(name)
    for name in cluster.names:
        await cluster.start(name)


async def all_serve(cluster: LocalCluster) -> None:
    with trio.fail_after(LIMIT):
        await cluster.all_answer()


def compare(log: Log, answers: dict[bytes, tuple[int, bytes]]) -> None:
    """Find each acknowledged command in the log, at the place of which the client was told."""
    places = {
        command: (slot, str(count).encode()) for count, (slot, command) in enumerate(log.applied, 1)
    }
    assert len(places) == len(log.applied), "a command was applied twice"
    assert {command: places.get(command) for command in answers} == answers


async def run_and_compare(nodes: int, seconds: float, seed: int) -> None:
    async with LocalCluster(nodes, machine=COUNTER) as cluster:
        clients = Clients(cluster.config)
        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(clients.run, f"client {number}")
            await clients.hear_more()
            await harm(cluster, seconds, random.Random(seed))
            await clients.hear_more()
            await restart_all(cluster)
            await clients.hear_more()
            await all_serve(cluster)  # who has only begun to start cannot end well
            nursery.cancel_scope.cancel()
        assert [await cluster.stop(name) for name in cluster.names] == [0] * nodes
        compare(cluster.compare_logs(), clients.answers)
        for name in cluster.names:
            assert "Traceback" not in cluster.said(name)


async def test_nothing_is_lost_or_doubled_when_nodes_are_killed_and_paused() -> None:
    await run_and_compare(nodes=3, seconds=1.5, seed=1)


async def test_nodes_stopped_in_order_leave_no_client_in_doubt() -> None:
    async with LocalCluster(machine=COUNTER) as cluster:
        clients = Clients(cluster.config)
        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(clients.run, f"client {number}")
            for name in cluster.names:
                await all_serve(cluster)
                await clients.hear_more()
                assert await cluster.stop(name) == 0
                await cluster.start(name)
            nursery.cancel_scope.cancel()
    assert clients.unknown == []


async def end_of_voting(cluster: LocalCluster) -> str:
    """Propose until a cluster of one votes no more; return why."""
    async with cluster.client() as client:
        with trio.fail_after(LIMIT):
            while True:
                with suppress(paxos.OutcomeUnknown):
                    await client.propose(bytes(30_000), timeout=0.3)
                status = (await client.status())["node1"]
                if status is not None and not status.voting:
                    return status.why


@pytest.mark.parametrize("harm_disk", [LocalCluster.fill_disk, LocalCluster.fail_syncs])
async def test_a_full_or_failing_disk_ends_voting_and_is_reported(
    harm_disk: Callable[[LocalCluster, str], None],
) -> None:
    failing = harm_disk is LocalCluster.fail_syncs
    if failing and not syncs_can_fail():
        pytest.skip("there is no C compiler")
    async with LocalCluster(1, machine=COUNTER, failing_syncs=failing) as cluster:
        await all_serve(cluster)
        harm_disk(cluster, "node1")
        assert "votes no more" in await end_of_voting(cluster)
        assert await cluster.stop("node1") == 0
        assert "Error: journal" in cluster.said("node1")


@contextmanager
def small_device(where: Path) -> Iterator[None]:
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "paxos-test", str(where)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system may not be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(where)], check=True)


async def test_a_full_device_ends_voting_and_is_reported(tmp_path: Path) -> None:
    with small_device(tmp_path):
        async with LocalCluster(1, machine=COUNTER, folder=tmp_path) as cluster:
            await all_serve(cluster)
            assert "disk is full" in await end_of_voting(cluster)
            assert await cluster.stop("node1") == 0


@pytest.mark.campaign
@pytest.mark.parametrize("nodes", [1, 3, 4, 5])
@pytest.mark.parametrize("seed", range(5))
async def test_long_harm_loses_and_doubles_nothing(nodes: int, seed: int) -> None:
    await run_and_compare(nodes, seconds=20, seed=seed)
