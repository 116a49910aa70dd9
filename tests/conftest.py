from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import paxos.blocking
from tests.forking import LIMIT
from tests.machines import Adder

pytest_plugins = ["paxos.testing.pytest_plugin"]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[paxos.blocking.Node]:
    """A cluster of one node on loopback, for threads."""
    cluster = paxos.Cluster.local(1)
    with (
        paxos.blocking.open_node(cluster, "node1", data=tmp_path / "1.db", machine=Adder()) as node,
        paxos.blocking.fail_after(LIMIT),
    ):
        yield node


# Whoever runs the tests may be deaf to it, as under nohup; children would inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
