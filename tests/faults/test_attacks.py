"""A live cluster under attack from the network path: history stays right and members stay up."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
import trio
from attrs import evolve

from paxos.node.cluster import Cluster
from paxos.testing.processes import LocalCluster
from tests.faults.attacker import FORGERIES, Attacker, listening
from tests.faults.test_processes import COUNTER, LIMIT, Clients, all_serve, compare, restart_all

CLIENTS = 4
RATE = 4_000
"""Forgeries a second, over all members."""


async def run_under_attack(monkeypatch: pytest.MonkeyPatch, seconds: float, seed: int) -> None:
    """Attack what lives, with what it said; then its next life, with what the first said."""
    async with LocalCluster(machine=COUNTER) as cluster:
        attacker = Attacker(cluster.config, random.Random(seed))
        clients = Clients(cluster.config)
        with listening(attacker, monkeypatch):
            async with trio.open_nursery() as nursery:
                for number in range(CLIENTS):
                    nursery.start_soon(clients.run, f"client {number}")
                await clients.hear_more()
                await attacker.attack(seconds, RATE)
                await clients.hear_more()
                await restart_all(cluster)
                await attacker.attack(seconds, RATE)
                await clients.hear_more()
                await all_serve(cluster)
                cluster.check()
                nursery.cancel_scope.cancel()
        assert set(attacker.sent) == set(FORGERIES)
        assert [await cluster.stop(name) for name in cluster.names] == [0] * 3
        log = cluster.compare_logs()
        compare(log, clients.answers)
        for name in cluster.names:
            said = cluster.said(name)
            assert "Traceback" not in said
            assert "two live processes" not in said
            assert not any(key.hex() in said for key in cluster.config.keys.keys)


async def test_forgeries_of_every_kind_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    await run_under_attack(monkeypatch, seconds=2.0, seed=1)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(5))
async def test_long_attacks_change_nothing(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    await run_under_attack(monkeypatch, seconds=20.0, seed=seed)


async def test_of_two_processes_with_one_name_the_later_stops_with_a_clear_error(
    tmp_path: Path,
) -> None:
    """The clone has the key, an address of its own, and a journal of its own."""
    async with LocalCluster(folder=tmp_path) as cluster:
        with trio.fail_after(LIMIT):
            leadership = await cluster.leader()
            elsewhere = Cluster.local(1).members[0].port
            members = tuple(
                evolve(member, port=elsewhere) if member.name == leadership.leader else member
                for member in cluster.config.members
            )
            (tmp_path / "clone").mkdir()
            evolve(cluster.config, members=members).save(tmp_path / "clone" / "cluster.toml")
            clone = await trio.run_process(
                [
                    *(sys.executable, "-m", "paxos.cli", "serve"),
                    *("--cluster", str(tmp_path / "clone" / "cluster.toml")),
                    *("--node", leadership.leader, "--data", str(tmp_path / "clone" / "node.db")),
                ],
                capture_stderr=True,
                check=False,
            )
            assert clone.returncode == 1
            assert f"another live process is {leadership.leader}".encode() in clone.stderr
            assert b"Traceback" not in clone.stderr
            async with cluster.client() as client:
                await client.propose(b"w key value")
            cluster.check()
        said = "".join(cluster.said(name) for name in cluster.names)
        assert f"two live processes are {leadership.leader}" in said
