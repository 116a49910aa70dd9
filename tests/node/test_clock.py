"""The clock of leases: it counts while the machine is suspended, and a stop inside once only."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from paxos.node.clock import PRECISION, Clock


class Machine:
    """Its clocks move only when something happens before a certain look at one of them."""

    def __init__(self) -> None:
        self.boot_time, self.monotonic = 100.0, 70.0
        self.looks = 0
        self.before: dict[int, Callable[[], None]] = {}
        self.clock = Clock(self.awake, self.gettime)

    def stop(self, seconds: float) -> None:
        self.boot_time += seconds
        self.monotonic += seconds

    def suspend(self, seconds: float) -> None:
        self.boot_time += seconds

    def gettime(self, clock: int) -> float:
        self.looks += 1
        self.before.pop(self.looks, lambda: None)()
        return self.boot_time if clock == time.CLOCK_BOOTTIME else self.monotonic

    def awake(self) -> float:
        return self.gettime(time.CLOCK_MONOTONIC)


LOOKS = range(1, 5)


def test_time_goes_on_while_the_machine_is_suspended() -> None:
    machine = Machine()
    before = machine.clock.now()
    machine.suspend(5.0)
    assert machine.clock.now() == before + 5.0


@pytest.mark.parametrize("look", LOOKS)
def test_time_is_right_at_the_end_however_long_the_thread_is_stopped_inside(look: int) -> None:
    machine = Machine()
    machine.before[look] = lambda: machine.stop(3.0)
    assert machine.clock.now() == machine.boot_time


@pytest.mark.parametrize("look", LOOKS)
def test_time_was_right_at_some_moment_where_the_machine_is_suspended_inside(look: int) -> None:
    machine = Machine()
    machine.before[look] = lambda: machine.suspend(3.0)
    assert machine.clock.now() == (103.0 if look <= 2 else 100.0)


def test_a_moment_between_two_looks_is_no_stop() -> None:
    machine = Machine()
    machine.before[2] = lambda: machine.stop(PRECISION / 2)
    assert machine.clock.now() == pytest.approx(machine.boot_time, abs=PRECISION)
    assert machine.looks == 4
