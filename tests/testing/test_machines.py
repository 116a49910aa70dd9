from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings

from paxos.testing import Violation, check_machine
from paxos.testing.simulation import Plan, Simulation
from paxos.testing.strategies import faults, plans


class Counter:
    """A state machine as a user writes it."""

    def __init__(self) -> None:
        self.total = 0

    def apply(self, command: bytes) -> bytes:
        self.total += int(command)
        return str(self.total).encode()

    def snapshot(self) -> bytes:
        return str(self.total).encode()

    def restore(self, snapshot: bytes) -> None:
        self.total = int(snapshot)


class Impatient(Counter):
    """Forgets to be deterministic: it counts its own lives."""

    lives = 0

    def __init__(self) -> None:
        super().__init__()
        Impatient.lives += 1
        self.total = Impatient.lives


def draw(random: Random) -> bytes:
    return str(random.randint(-9, 9)).encode()


def test_deterministic_machine_stays_the_same_everywhere(
    check_machine: Callable[..., None],
) -> None:
    check_machine(Counter, draw, seeds=range(10))


def test_nondeterministic_machine_is_reported_with_what_happened() -> None:
    with pytest.raises(Violation, match=r"(?s)seed 0: .* differs .*faults:.*what happened last"):
        check_machine(Impatient, draw)


@settings(max_examples=10, deadline=None)
@given(plan=plans())
def test_any_plan_keeps_every_invariant(plan: Plan) -> None:
    assert Simulation(1, plan=plan, duration=2.0).run().violation == ""


@settings(max_examples=5, deadline=None)
@given(plan=faults("crashes"))
def test_any_crashes_keep_every_invariant(plan: Plan) -> None:
    assert Simulation(1, plan=plan, duration=2.0).run().violation == ""
