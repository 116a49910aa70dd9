"""The benchmark runs; what it measures is not for a test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("durable", [True, False])
def test_the_last_line_tells_rate_and_latency(tmp_path: Path, durable: bool) -> None:
    run = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.node_load", "--where", tmp_path / "new"),
            *("--inflight", "16", "--seconds", "0.4", *(() if durable else ("--no-sync",))),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    result = json.loads(run.stdout.splitlines()[-1])
    assert result["ops_s"] > 0
    assert 0 < result["p50_us"] <= result["p99_us"]
    assert (result["nodes"], result["inflight"], result["durable"]) == (3, 16, durable)
