from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from random import Random

import pytest

from paxos.testing.simulation import (
    Action,
    Campaign,
    Setting,
    Simulation,
    run_campaign,
    run_seed,
    shrink,
    simulation_of,
)
from paxos.testing.simulation.campaign import ENOUGH, EXPECTED

QUICK = Setting(duration=1.5)


@pytest.mark.parametrize("nodes", [1, 3, 5])
def test_every_invariant_holds_under_faults(nodes: int) -> None:
    setting = Setting(nodes=nodes, duration=2.0)
    assert [o for o in (run_seed(s, setting) for s in range(15)) if o.violation] == []


def test_without_faults_clients_are_answered_all_the_time() -> None:
    outcome = Simulation(1, plan=(), duration=2.0).run()
    assert outcome.violation == ""
    assert outcome.answered > 100


def test_same_seeds_give_the_same_traces_in_any_process() -> None:
    program = (
        "from paxos.testing.simulation import *;"
        "print(run_campaign(range(8), Setting(duration=1.0)).trace_sha256)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("0", "7")
    }
    assert digests == {run_campaign(range(8), Setting(duration=1.0)).trace_sha256}


def test_time_that_is_skipped_passes_for_everybody() -> None:
    plan = (Action(0.0, "replay", (0.2,)), Action(0.5, "suspend_all", (300.0,)))
    outcome = Simulation(2, plan=plan, duration=1.0).run()
    assert outcome.violation == ""
    assert outcome.faults["replay_minutes_old"] > 0


def test_usurped_leaderships_are_many() -> None:
    plan = tuple(Action(0.3 + 0.05 * n, "usurp", (f"node{1 + n % 3}",)) for n in range(10))
    simulation = Simulation(3, plan=plan, duration=1.0, keep_trace=True)
    assert simulation.run().violation == ""
    lines = simulation.world.lines or []
    assert sum("applies" in line and "leader=" in line for line in lines) > 5


def test_error_in_a_node_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    from paxos.protocol.learner import Learner

    monkeypatch.setattr(Learner, "wake", lambda self: 1 / 0)
    violations = [run_seed(seed, QUICK).violation for seed in range(5)]
    assert any("ZeroDivisionError" in violation for violation in violations)


def test_history_that_is_not_linearizable_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from paxos.testing.simulation.store import Store

    monkeypatch.setattr(Store, "value", lambda self, key: b"0")
    violation = Simulation(1, plan=(), duration=1.0, machine=Store).run().violation
    assert "not linearizable" in violation
    assert "read -> " in violation


def test_fault_that_never_fired_fails_the_campaign() -> None:
    campaign = Campaign(QUICK)
    campaign.seeds = ENOUGH
    assert campaign.missing == EXPECTED
    campaign.faults.update(EXPECTED)
    assert campaign.missing == ()
    alone = Campaign(Setting(nodes=1))
    alone.seeds = ENOUGH
    assert "loss" not in alone.missing
    assert "wiped_disk" not in alone.missing
    assert "crash" in alone.missing


def test_seeds_differ() -> None:
    assert len({run_seed(seed, QUICK).trace_sha256 for seed in range(5)}) == 5


def test_seed_does_not_depend_on_what_ran_before_it() -> None:
    seeds = range(6)
    forwards = {seed: run_seed(seed, QUICK).trace_sha256 for seed in seeds}
    assert {seed: run_seed(seed, QUICK).trace_sha256 for seed in reversed(seeds)} == forwards


def test_campaign_adds_up_its_runs_in_any_number_of_processes() -> None:
    one = run_campaign(range(30), Setting(duration=0.5))
    two = run_campaign(range(30), Setting(duration=0.5), jobs=2)
    assert one.seeds == two.seeds == 30
    assert one.trace_sha256 == two.trace_sha256
    assert one.faults == two.faults


class Forgetful:
    """A state machine with a bug: its answer depends on something outside the commands."""

    lives = 0

    def __init__(self) -> None:
        Forgetful.lives += 1
        self._life = Forgetful.lives

    def apply(self, command: bytes) -> bytes:
        return str(self._life).encode()

    def snapshot(self) -> bytes:
        return b""

    def restore(self, snapshot: bytes) -> None:
        pass


def draw(random: Random) -> bytes:
    return str(random.randrange(10)).encode()


def test_state_machine_that_is_not_deterministic_is_caught() -> None:
    outcome = Simulation(1, machine=Forgetful, commands=draw, plan=(), duration=1.0).run()
    assert "differs" in outcome.violation


class Refusing:
    """A state machine that raises an error now and then, which is an answer."""

    def apply(self, command: bytes) -> bytes:
        if command == b"3":
            raise ValueError("three")
        return command

    def snapshot(self) -> bytes:
        return b""

    def restore(self, snapshot: bytes) -> None:
        pass


def test_state_machine_that_raises_is_no_divergence() -> None:
    for seed in range(5):
        outcome = Simulation(seed, machine=Refusing, commands=draw, duration=1.0).run()
        assert outcome.violation == ""


def test_lost_quorum_is_not_asked_for_progress_but_a_healed_one_is() -> None:
    plan = (
        Action(0.5, "crash", ("node1",)),
        Action(0.5, "crash", ("node2",)),
        Action(0.5, "crash", ("node3",)),
    )
    assert Simulation(4, plan=plan, duration=1.0).run().violation == ""


def test_failing_seed_is_shrunk_to_the_faults_that_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    from paxos.protocol.acceptor import Acceptor
    from paxos.protocol.records import Record

    def forgetful(self: Acceptor, record: Record) -> None:
        """Remember nothing of what the journal says."""

    remember = Acceptor.recall

    def recall(self: Acceptor, record: Record) -> None:
        if sys._getframe(1).f_code.co_name == "begin":
            forgetful(self, record)
        else:
            remember(self, record)

    monkeypatch.setattr(Acceptor, "recall", recall)
    setting = Setting(duration=2.0)
    seed = next(s for s in range(50) if "forgot" in run_seed(s, setting).violation)
    plan = shrink(simulation_of(seed, setting).plan, partial(run_seed, seed, setting))
    assert "forgot" in run_seed(seed, setting, plan).violation
    assert len(plan) <= 4
    restarting = {"crash", "crash_in_a_step", "crash_all", "start", "fail_sync", "fill_disk"}
    assert {action.kind for action in plan} & restarting
