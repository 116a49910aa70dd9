"""Real processes, killed, paused and restarted at random under load; then their journals compared.

The machine of ``paxos serve`` answers each command with how many it has applied, so an answer tells
the command's place in the log, and a client hears of any command that was lost, doubled or moved.
"""

from __future__ import annotations

import random
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import trio
from attrs import define, field

import paxos
from paxos.replicated.sessions import Sessions
from paxos.replicated.values import Batch
from paxos.wire import decode_value

LIMIT = 60.0
"""Seconds within which a cluster that is left alone must answer; it takes one or two."""

CLIENTS = 4


@define
class Processes:
    """A ``paxos serve`` for each member; the ones that are alive."""

    cluster: paxos.Cluster
    where: Path
    running: dict[str, subprocess.Popen[bytes]] = field(factory=dict)

    def journal(self, name: str) -> Path:
        return self.where / f"{name}.db"

    def start(self, name: str) -> None:
        file = self.where / "cluster.toml"
        with (self.where / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [
                    *(sys.executable, "-m", "paxos.cli", "serve", "--cluster", file),
                    *("--node", name, "--data", self.journal(name)),
                ],
                stderr=log,
            )

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> list[int]:
        """Ask all to stop; return their exit codes."""
        for process in self.running.values():
            process.terminate()
        return [process.wait(timeout=LIMIT) for process in self.running.values()]


@contextmanager
def serving(nodes: int, where: Path) -> Iterator[Processes]:
    cluster = paxos.Cluster.local(nodes)
    cluster.save(where / "cluster.toml")
    processes = Processes(cluster, where)
    try:
        for name in cluster.names:
            processes.start(name)
        yield processes
    finally:
        for name in list(processes.running):
            processes.kill(name)


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


async def harm(processes: Processes, seconds: float, rng: random.Random) -> None:
    """Kill or pause somebody, again and again; all are running at the end."""
    with trio.move_on_after(seconds):
        while True:
            name = rng.choice(processes.cluster.names)
            pause = rng.uniform(0.05, 0.5)
            if rng.random() < 0.5:
                process = processes.running[name]
                process.send_signal(signal.SIGSTOP)
                with trio.CancelScope(shield=True):
                    await trio.sleep(pause)
                process.send_signal(signal.SIGCONT)
            else:
                processes.kill(name)
                with trio.CancelScope(shield=True):
                    await trio.sleep(pause)
                processes.start(name)
            await trio.sleep(pause)


async def all_serve(cluster: paxos.Cluster) -> None:
    """Wait until every member answers."""
    with trio.fail_after(LIMIT):
        async with paxos.open_client(cluster) as client:
            while None in (await client.status()).values():
                continue


def kill_all(processes: Processes) -> None:
    for name in processes.cluster.names:
        processes.kill(name)
    for name in processes.cluster.names:
        processes.start(name)


def read_log(journal: Path) -> list[bytes]:
    """Return the encoded values of the learned slots, as the journal's tables have them."""
    with closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute(
            "SELECT slot, coalesce((SELECT value FROM chosen WHERE chosen.slot = log.slot),"
            " (SELECT value FROM votes WHERE votes.slot = log.slot)) FROM log ORDER BY slot"
        ).fetchall()
    assert [slot for slot, _ in rows] == list(range(len(rows)))
    return [value for _, value in rows]


def compare(logs: list[list[bytes]], answers: dict[bytes, tuple[int, bytes]]) -> None:
    longest = max(logs, key=len)
    assert all(log == longest[: len(log)] for log in logs)

    epochs: list[int] = []
    places: dict[bytes, tuple[int, bytes]] = {}
    sessions = Sessions()
    for slot, value in enumerate(map(decode_value, longest)):
        if isinstance(value, paxos.Leadership):
            epochs.append(value.epoch)
        for command in value.commands if isinstance(value, Batch) else ():
            if sessions.first_time(command):
                sessions.keep(command, slot, b"")
                assert command.data not in places, "applied twice"
                places[command.data] = (slot, str(len(places) + 1).encode())
    assert epochs == list(range(1, len(epochs) + 1))
    assert {command: places.get(command) for command in answers} == answers


async def run_and_compare(where: Path, nodes: int, seconds: float, seed: int) -> None:
    with serving(nodes, where) as processes:
        clients = Clients(processes.cluster)
        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(clients.run, f"client {number}")
            await clients.hear_more()
            await harm(processes, seconds, random.Random(seed))
            await clients.hear_more()
            kill_all(processes)
            await clients.hear_more()
            await all_serve(processes.cluster)  # who has only begun to start cannot end well
            nursery.cancel_scope.cancel()
        assert processes.stop() == [0] * nodes
        logs = [read_log(processes.journal(name)) for name in processes.cluster.names]
    compare(logs, clients.answers)
    for name in processes.cluster.names:
        assert "Traceback" not in (where / f"{name}.log").read_text()


async def test_nothing_is_lost_or_doubled_when_nodes_are_killed_and_paused(tmp_path: Path) -> None:
    await run_and_compare(tmp_path, nodes=3, seconds=1.5, seed=1)


async def test_nodes_stopped_in_order_leave_no_client_in_doubt(tmp_path: Path) -> None:
    with serving(3, tmp_path) as processes:
        clients = Clients(processes.cluster)
        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(clients.run, f"client {number}")
            for name in processes.cluster.names:
                await all_serve(processes.cluster)
                await clients.hear_more()
                stopped = processes.running.pop(name)
                stopped.terminate()
                assert await trio.to_thread.run_sync(stopped.wait) == 0
                processes.start(name)
            nursery.cancel_scope.cancel()
    assert clients.unknown == []


async def test_a_full_disk_ends_voting_and_is_reported(tmp_path: Path) -> None:
    with serving(1, tmp_path) as processes:
        await all_serve(processes.cluster)
        [process] = processes.running.values()
        # a limit on the size of its files, which meets the journal first, stands for a full disk
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
        async with paxos.open_client(processes.cluster) as client:
            status = None
            with trio.fail_after(LIMIT):
                while status is None or status.voting:
                    with suppress(paxos.OutcomeUnknown):
                        await client.propose(bytes(30_000), timeout=0.3)
                    status = (await client.status())["node1"]
        assert "votes no more" in status.why
        assert processes.stop() == [0]
    assert "Error: journal" in (tmp_path / "node1.log").read_text()


@pytest.mark.campaign
@pytest.mark.parametrize("nodes", [1, 3, 4, 5])
@pytest.mark.parametrize("seed", range(5))
async def test_long_harm_loses_and_doubles_nothing(tmp_path: Path, nodes: int, seed: int) -> None:
    await run_and_compare(tmp_path, nodes, seconds=20, seed=seed)
