from __future__ import annotations

from collections import Counter

from paxos.testing.simulation import Action, Simulation


def test_elections_are_held_under_faults_and_paused_checks_are_refused_in_the_end() -> None:
    counts = Counter[str]()
    for seed in range(6):
        plan = (
            Action(0.0, "pause_checks", (0.05,)),
            Action(0.5, "isolate", ("node1", "node2", "node3")),
            Action(1.2, "heal"),
            Action(1.4, "crash", ("node2",)),
            Action(1.5, "start", ("node2",)),
        )
        simulation = Simulation(seed, plan=plan, duration=2.5)
        assert simulation.run().violation == ""
        counts += simulation.jury.elections.counts
    assert counts["terms"] > 30
    assert counts["acts"] > 500
    assert counts["refused acts"] > 0
    assert counts["terms stalled"] > 0


def test_without_faults_no_term_is_lost() -> None:
    simulation = Simulation(1, plan=(), duration=3.0)
    assert simulation.run().violation == ""
    counts = simulation.jury.elections.counts
    assert counts["terms"] > 5
    lost = {what for what in counts if what.startswith("terms ")}
    assert lost <= {"terms deposed"}


def test_clock_beyond_the_bound_costs_no_more_than_refused_acts() -> None:
    for rate in (0.75, 1.3):
        plan = (Action(0.0, "clock", ("node1", 17, rate)), Action(0.0, "pause_checks", (0.05,)))
        simulation = Simulation(2, plan=plan, duration=3.0)
        assert simulation.run().violation == ""
        assert simulation.wild_clocks
