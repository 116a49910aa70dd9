"""The documented procedure for exchanging a key, with real processes and real files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import trio

import paxos
from paxos.node.cluster import Cluster
from paxos.node.key_file import LOOK_AGAIN
from paxos.testing.processes import LocalCluster


async def key(cluster: LocalCluster, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    file = cluster.folder / "cluster.toml"
    return await trio.run_process(
        [sys.executable, "-m", "paxos.cli", "key", *arguments, "--cluster", str(file)],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
    )


def copy_to(cluster: LocalCluster, *names: str) -> None:
    for name in names:
        there: Path = cluster.folder / name / "cluster.key"
        beside = there.with_suffix(".copy")
        shutil.copy2(cluster.folder / "cluster.key", beside)
        beside.replace(there)


async def test_a_key_is_exchanged_under_load_without_a_lost_decision(tmp_path: Path) -> None:
    async with LocalCluster(folder=tmp_path) as cluster:
        with trio.fail_after(60):
            await cluster.leader()
            done = 0

            async def go_on() -> None:
                nonlocal done
                async with paxos.open_client(Cluster.load(tmp_path / "cluster.toml")) as client:
                    while True:
                        await client.propose(b"w key %d" % done)
                        done += 1

            async def wait_until_all_have_it(*arguments: str) -> None:
                """Copy to one member after the other; the command refuses until all have it."""
                copy_to(cluster, *cluster.names[1:])
                await trio.sleep(1.5 * LOOK_AGAIN)
                assert b"node1 did not answer" in (await key(cluster, *arguments)).stderr
                copy_to(cluster, "node1")
                await trio.sleep(1.5 * LOOK_AGAIN)
                allowed = await key(cluster, *arguments)
                assert allowed.returncode == 0, allowed.stderr

            async with trio.open_nursery() as nursery:
                nursery.start_soon(go_on)
                old = Cluster.load(tmp_path / "cluster.toml").keys.ids[0]
                assert (await key(cluster, "add")).returncode == 0
                new = Cluster.load(tmp_path / "cluster.toml").keys.ids[1]
                await wait_until_all_have_it("use", new)
                await wait_until_all_have_it("remove", old)
                copy_to(cluster, *cluster.names)
                await trio.sleep(1.5 * LOOK_AGAIN)
                before = done
                while done < before + 10:
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()
            for name in cluster.names:
                assert await cluster.stop(name) == 0
        cluster.compare_logs()
