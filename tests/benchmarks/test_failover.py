"""The failover benchmark on real processes: it runs, and counts what happened once."""

from __future__ import annotations

from pathlib import Path

from benchmarks.failover.drill import FAULTS, Given, run
from benchmarks.places import place


def test_every_fault_is_followed_by_a_new_leader(tmp_path: Path) -> None:
    output = run(
        Given(0, runs=1, quiet=0.2, leases=(0.4,), where=tmp_path), lambda done, doing: None
    )
    assert [loss.fault for loss in output.losses] == list(FAULTS)
    for loss in output.losses:
        assert 0 < loss.leadership <= loss.command
        assert loss.gap > 0
    assert [loss.lease for loss in output.holders] == [0.4]
    assert all(loss.next > 0 for loss in output.holders)
    assert [quiet.load for quiet in output.quiet] == [0, 64]
    assert output.quiet[1].answers > 0
    assert all(table.rows for table in output.tables())
    assert list(tmp_path.iterdir()) == []


def test_places_are_named_for_what_they_are() -> None:
    assert place(Path("/dev/shm")) == "a memory disk"
