"""Real nodes whose journals are damaged, wiped or rolled back come back as voters, safely."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from paxos.testing import LocalCluster

LIMIT = 45.0
"""Seconds after which a test fails; it takes a few."""


def parts(journal: Path) -> list[Path]:
    return [Path(f"{journal}{part}") for part in ("", "-wal", "-shm", ".witness")]


def wipe(journal: Path, old: Path) -> None:
    """Lose the file, the witness and all, as on a new disk."""
    for part in parts(journal):
        part.unlink(missing_ok=True)


def damage(journal: Path, old: Path) -> None:
    """Turn a bit in each page."""
    data = bytearray(journal.read_bytes())
    for place in range(2000, len(data), 4096):
        data[place] ^= 4
    journal.write_bytes(data)
    Path(f"{journal}-wal").unlink(missing_ok=True)


def roll_back(journal: Path, old: Path) -> None:
    """Restore an older copy, the witness and all, as with the snapshot of a machine."""
    wipe(journal, old)
    for part in parts(old):
        if part.exists():
            shutil.copy(part, journal.parent)


@pytest.mark.parametrize("lose", [wipe, damage, roll_back])
async def test_a_node_that_has_forgotten_is_found_out_and_readmitted(
    tmp_path: Path, lose: Callable[[Path, Path], None]
) -> None:
    async with LocalCluster() as cluster:
        with trio.fail_after(LIMIT):
            leader = (await cluster.leader()).leader
            forgetful, other = (name for name in cluster.names if name != leader)
            async with cluster.client() as client:
                await client.propose(b"w x 1")
                for part in parts(cluster.journal(forgetful)):
                    if part.exists():
                        shutil.copy(part, tmp_path)
                for number in range(50):
                    await client.propose(b"w x %d" % number)
                await trio.sleep(0.1)  # a few heartbeats, which tell how far its journal is
                await cluster.kill(forgetful)
                journal = cluster.journal(forgetful)
                lose(journal, tmp_path / journal.name)
                await cluster.start(forgetful)
                while (status := (await client.status())[forgetful]) is None or not status.voting:
                    await trio.sleep(0.02)
                assert "votes again" in cluster.said(forgetful)
                await cluster.kill(other)
                await client.propose(b"w x needs-its-vote")
                await cluster.start(other)
        await cluster.all_answer()
        for name in cluster.names:
            await cluster.stop(name)
        cluster.compare_logs()
