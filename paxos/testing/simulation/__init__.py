"""One cluster on virtual time, its clients and its faults; see `Simulation`."""

from paxos.testing.simulation.action import Action, Plan
from paxos.testing.simulation.campaign import (
    MOST_RUNS,
    Campaign,
    Run,
    Setting,
    run_campaign,
    run_seed,
    shrink,
    simulation_of,
)
from paxos.testing.simulation.plan import draw_plan
from paxos.testing.simulation.simulation import Outcome, Simulation

__all__ = [
    "MOST_RUNS",
    "Action",
    "Campaign",
    "Outcome",
    "Plan",
    "Run",
    "Setting",
    "Simulation",
    "draw_plan",
    "run_campaign",
    "run_seed",
    "shrink",
    "simulation_of",
]
