"""Multi-decree Paxos to embed where exactly one of your machines may act.

    async with paxos.open_node(cluster, "node1", data="node1.db", machine=Ledger()) as node:
        answer = await node.propose(b"...")    # applied once, on every node
        print(node.leader)                     # leader=node2, epoch=7

Who comes to study begins with `paxos.protocol`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paxos.errors import (
        CommandFailed,
        CommandTooLarge,
        ConfigError,
        EffectForgotten,
        ElectionRefused,
        ForkedProcess,
        LeadershipLost,
        LogCompacted,
        NameInUse,
        NoAnswer,
        NodeClosed,
        NotLeading,
        OutcomeUnknown,
        Overloaded,
        PaxosError,
        StateDiverged,
        TooManyIntents,
    )
    from paxos.journal import JournalCorrupt, JournalError
    from paxos.node.client import Client, open_client
    from paxos.node.cluster import Cluster, Member, Timing
    from paxos.node.effects import Effects
    from paxos.node.election import Election
    from paxos.node.instrument import Instrument
    from paxos.node.node import Node
    from paxos.node.opening import open_node
    from paxos.node.term import Term
    from paxos.replicated.compaction import Compaction
    from paxos.replicated.effects import Intent
    from paxos.replicated.election_decrees import ElectionView
    from paxos.replicated.elections import Candidate
    from paxos.replicated.events import Alarm
    from paxos.replicated.messages import Status
    from paxos.replicated.state import LargeStateMachine, QueryableStateMachine, StateMachine
    from paxos.replicated.values import Leadership

__all__ = [
    "Alarm",
    "Candidate",
    "Client",
    "Cluster",
    "CommandFailed",
    "CommandTooLarge",
    "Compaction",
    "ConfigError",
    "EffectForgotten",
    "Effects",
    "Election",
    "ElectionRefused",
    "ElectionView",
    "ForkedProcess",
    "Instrument",
    "Intent",
    "JournalCorrupt",
    "JournalError",
    "LargeStateMachine",
    "Leadership",
    "LeadershipLost",
    "LogCompacted",
    "Member",
    "NameInUse",
    "NoAnswer",
    "Node",
    "NodeClosed",
    "NotLeading",
    "OutcomeUnknown",
    "Overloaded",
    "PaxosError",
    "QueryableStateMachine",
    "StateDiverged",
    "StateMachine",
    "Status",
    "Term",
    "Timing",
    "TooManyIntents",
    "open_client",
    "open_node",
]

_HOMES = (
    "paxos.errors",
    "paxos.journal",
    "paxos.node.client",
    "paxos.node.cluster",
    "paxos.node.effects",
    "paxos.node.election",
    "paxos.node.instrument",
    "paxos.node.node",
    "paxos.node.opening",
    "paxos.node.term",
    "paxos.replicated.compaction",
    "paxos.replicated.election_decrees",
    "paxos.replicated.elections",
    "paxos.replicated.events",
    "paxos.replicated.messages",
    "paxos.replicated.state",
    "paxos.replicated.values",
)
"""Where the names live: imported when one is asked for. So `paxos.protocol` can be studied with
nothing else installed, and a command that is interrupted at once says nothing about imports."""

if not TYPE_CHECKING:  # or else a type checker would believe in names that do not exist

    def __getattr__(name: str) -> object:
        if name in __all__:
            for home in map(import_module, _HOMES):
                if hasattr(home, name):
                    globals()[name] = found = getattr(home, name)
                    return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return [*globals(), *__all__]
