"""What a `LeaseCluster` is made of: the nodes' offices, and what stands in for all around them."""

from __future__ import annotations

from attrs import Factory, define, frozen

from paxos.replicated.decrees import Decree
from paxos.replicated.office import Office
from paxos.replicated.state import ReplicatedState
from paxos.replicated.values import CommandId, Session


@frozen
class Patience:
    """The timing of every node."""

    heartbeat: float = 0.02
    suspicion: float = 0.1
    lease: float = 1.0
    drift: float = 0.05
    lease_reads: bool = False


class NoMachine:
    """An application without commands."""

    def apply(self, command: bytes) -> bytes:
        """Refuse."""
        raise NotImplementedError

    def snapshot(self) -> bytes:
        """Return nothing."""
        return b""

    def restore(self, snapshot: bytes) -> None:
        """Take nothing."""


@define
class Presidency:
    """What a node believes of the log's leader."""

    serving: bool = False

    def live_leader(self) -> str | None:
        """Return somebody."""
        return "somebody"

    def hears(self, node: str) -> bool:
        """Hear half of the nodes."""
        return node < "c"


@define
class Seat:
    """One life of one node."""

    name: str
    boot: int
    rate: float
    presidency: Presidency
    state: ReplicatedState
    office: Office
    lag: float
    """How long it takes, typically, before it applies what is chosen."""
    applied: int = 0
    numbers: int = 0
    alarm: float | None = None
    """By its own clock."""
    paused: float = 0.0
    """Until when, in true time."""
    decrees: dict[CommandId, Decree] = Factory(dict)
    checked: dict[str, int] = Factory(dict)
    """By election, the epoch whose term was checked, to be acted on next."""
    leaving: dict[str, float] = Factory(dict)
    """By election, when the application will have stopped, in true time."""

    @property
    def session(self) -> Session:
        """Its name and boot."""
        return Session(self.name, self.boot)
