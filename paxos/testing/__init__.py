"""Fault injection, for us and for whoever replicates a state machine with this package.

Put a state machine of your own under a thousand seeds of lost, doubled and late messages, crashes,
pauses, cut links, slow and failing disks and drifting clocks::

    from paxos.testing import check_machine

    def draw(random):                       # the next command of a client
        return b"add %d" % random.randint(1, 9)

    def test_ledger_is_deterministic():
        check_machine(Ledger, draw, seeds=range(1000))

or, with a fixture, after ``pytest_plugins = ["paxos.testing.pytest_plugin"]`` in ``conftest.py``::

    def test_ledger_is_deterministic(check_machine):
        check_machine(Ledger, draw)

A failing seed is shrunk to the faults that matter, and told as a story.

=========================== ======================================================================
`check_machine`             a state machine, replicated under faults, stays the same on every node
`simulation.Simulation`     one run of a whole cluster on virtual time; everything from one seed
`simulation.run_campaign`   many runs on several processes, as ``paxos simulate`` does
`checkers`                  the invariants, each usable alone
`strategies`                hypothesis strategies for commands, values, faults and plans
`LocalCluster`              real processes, killed, paused, cut off and given bad disks
`Stage`                     a few nodes led step by step, and the transcript of what they say
`RoleCluster`               nothing but the three roles, messages in any order
`Network`                   a network in memory for real nodes under `trio.testing.MockClock`
=========================== ======================================================================
"""

from paxos.testing.checkers import Violation
from paxos.testing.faults import Faults
from paxos.testing.invariants import Invariants
from paxos.testing.machines import check_machine
from paxos.testing.network import MemoryTransport, Network
from paxos.testing.processes import LocalCluster
from paxos.testing.roles import RoleCluster
from paxos.testing.stage import Stage

__all__ = [
    "Faults",
    "Invariants",
    "LocalCluster",
    "MemoryTransport",
    "Network",
    "RoleCluster",
    "Stage",
    "Violation",
    "check_machine",
]
