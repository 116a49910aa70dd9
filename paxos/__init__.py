"""Multi-decree Paxos to embed where exactly one of your machines may act.

    async with paxos.open_node(cluster, "node1", data="node1.db", machine=Ledger()) as node:
        answer = await node.propose(b"...")    # applied once, on every node
        print(node.leader)                     # leader=node2, epoch=7

Who comes to study begins with `paxos.protocol`.
"""

from paxos.errors import (
    CommandFailed,
    CommandTooLarge,
    ConfigError,
    ForkedProcess,
    NameInUse,
    NoAnswer,
    NodeClosed,
    OutcomeUnknown,
    PaxosError,
)
from paxos.journal import JournalCorrupt, JournalError
from paxos.node.client import Client, open_client
from paxos.node.cluster import Cluster, Member, Timing
from paxos.node.instrument import Instrument
from paxos.node.node import Node, open_node
from paxos.replicated.events import Alarm
from paxos.replicated.messages import Status
from paxos.replicated.state import StateMachine
from paxos.replicated.values import Leadership

__all__ = [
    "Alarm",
    "Client",
    "Cluster",
    "CommandFailed",
    "CommandTooLarge",
    "ConfigError",
    "ForkedProcess",
    "Instrument",
    "JournalCorrupt",
    "JournalError",
    "Leadership",
    "Member",
    "NameInUse",
    "NoAnswer",
    "Node",
    "NodeClosed",
    "OutcomeUnknown",
    "PaxosError",
    "StateMachine",
    "Status",
    "Timing",
    "open_client",
    "open_node",
]
