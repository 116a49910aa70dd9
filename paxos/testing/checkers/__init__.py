"""The invariants, each a small class that can be used alone: it hears, and raises `Violation`."""

from paxos.testing.checkers.agreement import Agreement
from paxos.testing.checkers.answers import Answers
from paxos.testing.checkers.base import Checker, Violation
from paxos.testing.checkers.counting import Recount
from paxos.testing.checkers.decreed import Decreed
from paxos.testing.checkers.effects import EffectsOnce
from paxos.testing.checkers.elections import NamedElections
from paxos.testing.checkers.forward import Forward
from paxos.testing.checkers.freshness import Freshness
from paxos.testing.checkers.highest_vote import HighestVote
from paxos.testing.checkers.honesty import Honesty
from paxos.testing.checkers.leadership import OneLeaderPerEpoch
from paxos.testing.checkers.leases import Leases
from paxos.testing.checkers.linearizable import Linearizable
from paxos.testing.checkers.marks import Marks
from paxos.testing.checkers.memory import Memory
from paxos.testing.checkers.once import AtMostOnce
from paxos.testing.checkers.prefix import Prefix
from paxos.testing.checkers.state import EqualState
from paxos.testing.checkers.steadfast import Steadfast
from paxos.testing.checkers.tallies import Tallies
from paxos.testing.checkers.tidy import Tidy

__all__ = [
    "Agreement",
    "Answers",
    "AtMostOnce",
    "Checker",
    "Decreed",
    "EffectsOnce",
    "EqualState",
    "Forward",
    "Freshness",
    "HighestVote",
    "Honesty",
    "Leases",
    "Linearizable",
    "Marks",
    "Memory",
    "NamedElections",
    "OneLeaderPerEpoch",
    "Prefix",
    "Recount",
    "Steadfast",
    "Tallies",
    "Tidy",
    "Violation",
]
