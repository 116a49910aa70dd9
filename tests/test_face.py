"""The names that a user imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import paxos


def test_every_public_name_is_there_and_listed() -> None:
    for name in paxos.__all__:
        assert getattr(paxos, name).__name__ == name
    assert set(paxos.__all__) <= set(dir(paxos))


def test_type_checkers_see_the_same_names() -> None:
    face = ast.parse(Path(paxos.__file__).read_text())
    block = next(node for node in face.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    names = [alias.name for node in imports for alias in node.names]
    assert sorted(names) == sorted(paxos.__all__)


def test_a_name_that_is_not_there_is_missed_as_anywhere() -> None:
    with pytest.raises(AttributeError, match="module 'paxos' has no attribute 'Raft'"):
        _ = paxos.Raft  # type: ignore[attr-defined]


def test_the_protocol_is_studied_without_anything_that_runs_a_node() -> None:
    code = "import paxos.protocol, sys; sys.exit(bool({'trio', 'cbor2'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
