"""What the README says is true: its program runs, its map is complete, its commands exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import paxos
from paxos.cli.app import NAMES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
LIMIT = 60.0
"""Seconds; the program takes two."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_program_runs_as_it_is_printed(tmp_path: Path) -> None:
    (program,) = blocks("python")
    port = str(paxos.Cluster.local(1).members[0].port)
    init = [*(sys.executable, "-m", "paxos.cli", "init", "cluster"), "--nodes", "1"]
    subprocess.run(
        [*init, "--base-port", port], cwd=tmp_path, check=True, capture_output=True, timeout=LIMIT
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["b'1'", "leading, with fencing token 1"]


def test_every_command_that_it_names_exists() -> None:
    named = set(re.findall(r"(?:`|bin/)paxos ([a-z]+)", README))
    assert named <= set(NAMES)
    assert len(named) >= 6


def test_the_map_names_every_part_of_the_package() -> None:
    parts = {
        path.name
        for path in (ROOT / "paxos").iterdir()
        if path.name not in ("__init__.py", "errors.py", "py.typed", "__pycache__")
    }
    assert {part for part in parts if f"`paxos/{part}" not in README} == set()


def test_the_check_runs_the_test_command_of_the_readme() -> None:
    """The same extra, the same call of pytest; the check adds what keeps the tree clean."""
    command = next(block for block in blocks("sh") if "pytest" in block)
    assert "pytest -q" in (ROOT / ".ci" / "run").read_text()
    assert "'.[test]'" in command
