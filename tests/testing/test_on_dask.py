"""The same campaign on a cluster of Dask as in one process."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from paxos.cli.simulate import simulate
from paxos.testing.simulation import Setting, run_campaign

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dask's own


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Return the address of a scheduler with one worker, in threads of this process."""
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address="127.0.0.1:0",  # else all of them want the same port
        host="127.0.0.1",
        protocol="tcp",
    ) as cluster:
        yield cluster.scheduler_address


def test_campaign_on_dask_is_the_same_as_here(scheduler: str) -> None:
    arguments = ["--seeds", "0:45", "--duration", "0.3", "--json"]
    there = CliRunner().invoke(simulate, [*arguments, "--scheduler", scheduler])
    here = run_campaign(range(45), Setting(duration=0.3))
    assert there.exit_code == 0, there.output
    described = json.loads(there.stdout)
    assert described["seeds"] == 45
    assert described["trace_sha256"] == here.trace_sha256
    assert described["faults"] == dict(here.faults)


def test_scheduler_that_does_not_answer_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from paxos.testing.simulation import on_dask

    monkeypatch.setattr(on_dask, "PATIENCE", "0.2s")
    arguments = ["--seeds", "0:5", "--scheduler", "tcp://127.0.0.1:1"]
    result = CliRunner().invoke(simulate, arguments)
    assert result.exit_code == 1
    assert "the Dask scheduler tcp://127.0.0.1:1" in result.output
