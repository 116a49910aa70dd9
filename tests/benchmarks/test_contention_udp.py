"""Contention of real processes: it runs, and ours needs one round there, too."""

from __future__ import annotations

import pytest

from benchmarks.contention.arena import Scene
from benchmarks.contention.udp import Given, run
from benchmarks.contention.udp_findings import agreement


def test_real_processes_decide_and_count_their_ballots() -> None:
    scenes = (Scene(policy="exponential", proposers=4), Scene(policy="ranked", proposers=4))
    output = run(Given(0, 3, scenes), lambda done, doing: None)
    theirs, ours = output.rows
    assert (theirs.undecided, ours.undecided) == (0, 0)
    assert theirs.ballots.mean > 1
    assert ours.ballots.count == 3
    assert 0 < ours.seconds.p50 < 2
    assert all(table.rows for table in output.tables())


def test_order_is_compared_and_not_the_figures() -> None:
    assert agreement([(1, 1), (2, 100), (3, 101)]) == pytest.approx(1)
    assert agreement([(1, 3), (2, 2), (3, 1)]) == pytest.approx(-1)
    assert agreement([(1, 1), (1, 2), (2, 3)]) == pytest.approx(0.866, abs=0.001)
