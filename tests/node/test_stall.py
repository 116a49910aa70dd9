"""A body that never yields to Trio, in a process of its own and on a real clock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys, time, attrs, trio, paxos
from tests.machines import Adder

async def main():
    cluster = attrs.evolve(paxos.Cluster.local(1), timing=paxos.Timing(lease=0.4))
    async with paxos.open_node(cluster, "node1", data=sys.argv[1], machine=Adder()) as node:
        async with node.election("billing").lead(exit_if_stalled=sys.argv[2] == "exit") as term:
            start = time.monotonic()
            try:
                while time.monotonic() < start + 5:
                    term.check()
                    if sys.argv[2] == "exit":
                        while True:
                            pass
            except paxos.LeadershipLost as lost:
                print(lost.reason, time.monotonic() - start < 0.5)
                raise

try:
    trio.run(main)
except* paxos.LeadershipLost:
    sys.exit(3)
"""


@pytest.mark.parametrize(("wish", "status"), [("exit", 70), ("check", 3)])
def test_stalled_process_ends_if_it_asked_for_it_and_else_its_checks_fail(
    tmp_path: Path, wish: str, status: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "1.db"), wish],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == status, done.stderr
    if wish == "exit":
        assert "the lease of billing ended, and Trio's loop is stalled: exiting" in done.stderr
    else:
        assert done.stdout == "stalled True\n"
