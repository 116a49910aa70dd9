"""What the documentation shows is what happens."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

MODULES = ["", ".acceptor", ".ballot", ".learner", ".proposer", ".quorums", ".readmission"]


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_are_true(module: str) -> None:
    assert doctest.testmod(import_module("paxos.protocol" + module)).failed == 0
