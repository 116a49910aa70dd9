"""A user's own state machine under many seeds: ten lines in a test, or five with the fixture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from paxos.replicated.state import StateMachine
from paxos.testing.checkers import Violation
from paxos.testing.simulation.action import Plan
from paxos.testing.simulation.campaign import shrink
from paxos.testing.simulation.simulation import Outcome, Simulation

LAST_LINES = 40
"""How much of a failing run's transcript an error shows."""


def check_machine(
    machine: Callable[[], StateMachine],
    commands: Callable[[Random], bytes],
    seeds: Iterable[int] = range(100),
    *,
    nodes: int = 3,
    duration: float = 2.0,
) -> None:
    """Replicate a state machine under faults, seed after seed, and see that it stays the same.

    Args:
        machine: Makes a state machine as every node does when it starts.
        commands: Draws the next command that a client proposes.
        seeds: Which runs; each takes some hundredths of a second.
        nodes: How many nodes replicate it.
        duration: Seconds of virtual time with faults.

    Raises:
        Violation: Nodes differ, for instance because `apply` depends on a clock, on randomness or
            on the order of a set. The text has the fewest faults that show it, and what happened.

    """
    for seed in seeds:

        def simulation(
            plan: Plan | None = None, *, seed: int = seed, keep_trace: bool = False
        ) -> Simulation:
            return Simulation(
                seed,
                nodes,
                machine=machine,
                commands=commands,
                duration=duration,
                plan=plan,
                keep_trace=keep_trace,
            )

        def run(plan: Plan, simulation: Callable[[Plan], Simulation] = simulation) -> Outcome:
            return simulation(plan).run()

        first = simulation()
        if first.run().violation:
            plan = shrink(first.plan, run)
            last = simulation(plan, keep_trace=True)
            raise Violation(_report(seed, plan, last.run(), last.world.lines or []))


def _report(seed: int, plan: Plan, outcome: Outcome, lines: list[str]) -> str:
    faults = "".join(f"  {action}\n" for action in plan) or "  none are needed\n"
    return (
        f"seed {seed}: {outcome.violation}\nfaults:\n{faults}"
        f"what happened last:\n{''.join(lines[-LAST_LINES:])}"
    )
