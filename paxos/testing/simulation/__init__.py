"""One cluster on virtual time, its clients and its faults; see `Simulation`.

============================= ===================================================================
module                        what it has
============================= ===================================================================
`world`, `network`, `disk`    time and chance; messages on their way; what survives a crash
`media`, `files`              what a disk is made of: memory, or real SQLite files
`engine`, `process`           a node: its roles and their turns, and what stands around them
`clients`, `campaigner`       who wants commands and reads, and who wants to lead and then acts
`plan`, `nemesis`, `coups`    which faults come when, and how each is done
`jury`                        all that must hold, by the checkers of `paxos.testing.checkers`
`healing`                     how a run ends: a core is whole again, and must decide
`campaign`, `workers`         many seeds, on several processors; `on_dask`: on several machines
============================= ===================================================================
"""

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
