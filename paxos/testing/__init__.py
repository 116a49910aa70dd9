"""Fault injection, for us and for whoever replicates a state machine with this package.

Put a state machine of your own under a thousand seeds of lost, doubled and late messages, crashes,
pauses, cut links, slow and failing disks and drifting clocks::

    from paxos.testing import check_machine

    class Total:
        total = 0
        def apply(self, command): self.total += int(command); return b"%d" % self.total
        def snapshot(self): return b"%d" % self.total
        def restore(self, snapshot): self.total = int(snapshot)

    check_machine(Total, lambda random: b"%d" % random.randint(1, 9), seeds=range(1000))

or in a test, with a fixture and a hundred seeds::

    pytest_plugins = ["paxos.testing.pytest_plugin"]  # in conftest.py, or here

    def test_total_is_the_same_on_every_node(check_machine):
        check_machine(Total, lambda random: b"%d" % random.randint(1, 9))

A failing seed is shrunk to the faults that matter, and told as a story.

=========================== ======================================================================
`check_machine`             a state machine, replicated under faults, stays the same on every node
`Simulation`                one run of a whole cluster on virtual time; everything from one seed
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
from paxos.testing.simulation import Simulation
from paxos.testing.stage import Stage

__all__ = [
    "Faults",
    "Invariants",
    "LocalCluster",
    "MemoryTransport",
    "Network",
    "RoleCluster",
    "Simulation",
    "Stage",
    "Violation",
    "check_machine",
]
