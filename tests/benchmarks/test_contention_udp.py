"""Contention of real processes: it runs, and ours needs one round there, too."""

from __future__ import annotations

from benchmarks.contention.arena import Scene
from benchmarks.contention.udp import Given, run


def test_real_processes_decide_and_count_their_ballots() -> None:
    scenes = (Scene(policy="exponential", proposers=4), Scene(policy="ranked", proposers=4))
    output = run(Given(0, 3, scenes), lambda done, doing: None)
    theirs, ours = output.rows
    assert (theirs.undecided, ours.undecided) == (0, 0)
    assert theirs.ballots.mean > 1
    assert ours.ballots.count == 3
    assert 0 < ours.seconds.p50 < 2
    assert all(table.rows for table in output.tables())
