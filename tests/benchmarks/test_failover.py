"""The failover benchmark on real processes: it runs, and counts what happened once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.failover import drill, losses, quiet
from benchmarks.failover.drill import FAULTS, Drill, Loss, Troubled


def test_every_fault_is_followed_by_a_new_leader(tmp_path: Path) -> None:
    given = losses.Given(0, runs=1, leases=(0.4,), where=str(tmp_path))
    output = losses.run(given, lambda done, doing: None)
    assert output.troubles == ()
    assert [loss.fault for loss in output.losses] == list(FAULTS)
    for loss in output.losses:
        assert 0 < loss.leadership <= loss.command
        assert loss.gap > 0
    assert [loss.lease for loss in output.holders] == [0.4]
    assert all(loss.next > 0 for loss in output.holders)
    assert all(table.rows for table in output.tables())
    assert list(tmp_path.iterdir()) == []


def test_commands_and_lateness_are_counted_while_nobody_is_harmed(tmp_path: Path) -> None:
    scenes = (quiet.Scene(), quiet.Scene(inflight=8, busy=1))
    output = quiet.run(quiet.Given(0, 0.3, scenes, where=str(tmp_path)), lambda done, doing: None)
    idle, loaded = output.quiet
    assert (idle.answered, loaded.answered > 0) == (0, True)
    assert all(0 < one.late < one.seconds for one in output.quiet)
    assert all(table.rows for table in output.tables())
    assert list(tmp_path.iterdir()) == []


class Unsteady(Drill):
    """A drill whose leader changes by itself so often before a fault can be brought about."""

    def __init__(self, changes: int) -> None:
        self.changes = changes

    def _lose_leader(self, fault: str, by_itself: int) -> Loss | None:
        if by_itself < self.changes:
            return None
        return Loss(fault, 0.01, 0.02, 0.03, by_itself)


def test_run_in_which_the_leader_changed_by_itself_is_done_anew_and_counted() -> None:
    assert Unsteady(3).lose_leader("cut").by_itself == 3


def test_cluster_whose_leader_changes_all_the_time_is_given_up() -> None:
    with pytest.raises(Troubled, match="the leader changed by itself 20 times in a row"):
        Unsteady(drill.ATTEMPTS).lose_leader("cut")


def test_clusters_that_are_given_up_are_told_and_do_not_go_on_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sick(Drill):
        def __enter__(self) -> Sick:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def drive(self, inflight: int) -> None:
            pass

        def lose_leader(self, fault: str) -> Any:
            raise Troubled("nobody leads")

    monkeypatch.setattr(losses, "Drill", Sick)
    given = losses.Given(0, runs=5, faults=("cut",), leases=(), where=str(tmp_path))
    output = losses.run(given, lambda done, doing: None)
    assert [trouble.why for trouble in output.troubles] == ["nobody leads"] * losses.MOST_TROUBLES
    (table,) = output.tables()
    assert table.title == "Clusters given up"
