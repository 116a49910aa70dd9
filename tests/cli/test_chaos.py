from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

CHAOS = (sys.executable, "-m", "paxos.cli", "chaos", "--nodes", "2", "--seed", "1")
LIMIT = 60.0
"""Seconds after which a test fails; it takes a few."""


def processes_of(folder: Path) -> list[bytes]:
    """Return the command lines of processes that work in a folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            found.append(file.read_bytes())
    return [line for line in found if bytes(folder) in line]


def test_the_result_alone_is_on_standard_output_as_json(tmp_path: Path) -> None:
    done = subprocess.run(
        [*CHAOS, "--minutes", "0.02", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["ok"] is result["linearizable"] is True
    assert (result["seed"], result["nodes"], result["violations"]) == (1, 2, [])
    assert "seed 1" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_neither_files_nor_processes_behind(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*CHAOS, "--minutes", "5"],
        stderr=subprocess.PIPE,
        text=True,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert process.stderr is not None
    with process.stderr:
        while "processes run" not in process.stderr.readline():
            assert process.poll() is None
        assert len(processes_of(tmp_path)) == 2
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.wait(timeout=LIMIT) == 130
    assert "Traceback" not in rest
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
