"""What a test of a replicated service needs, ours or yours, so far.

`Network` is a network in memory; `RoleCluster` is a cluster of nothing but the three roles.
"""

from paxos.testing.invariants import Invariants
from paxos.testing.network import Faults, MemoryTransport, Network
from paxos.testing.roles import RoleCluster

__all__ = ["Faults", "Invariants", "MemoryTransport", "Network", "RoleCluster"]
