"""A campaign that is ended early leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paxos.testing.simulation.media import SHARED_MEMORY


def processes_of(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [parent, *map(int, children)]


def folders_of(processes: list[int]) -> list[Path]:
    return [folder for pid in processes for folder in SHARED_MEMORY.glob(f"paxos-{pid}-*")]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_campaign_that_is_stopped_leaves_no_files(jobs: str, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "paxos.cli", "simulate", "--seeds", "0:10000", "--jobs", jobs]
    campaign = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while not folders_of(processes := processes_of(campaign.pid)):
            assert campaign.poll() is None
            time.sleep(0.02)
        campaign.send_signal(number)
        campaign.communicate(timeout=60)
    finally:
        campaign.kill()
    assert campaign.returncode == 130
    assert folders_of(processes) == []
