"""A node's own part in one election, and what its office says of it to whoever runs the node."""

from __future__ import annotations

from enum import Enum

from attrs import define, frozen

from paxos.protocol.effects import Effect
from paxos.replicated.decrees import Decree


class Loss(Enum):
    """Why a term is over."""

    EXPIRED = "expired"
    """The lease ended before a renewal was decided, or others have decided that it did."""
    RESIGNED = "resigned"
    """The application resigned, or closed the node."""
    DEPOSED = "deposed"
    """It is to be handed over to another candidate."""
    DISCONNECTED = "disconnected"
    """The lease ended while this node knew no leader of the log, or could not write its journal; or
    the node has failed."""
    STALLED = "stalled"
    """This process did not run for too long: paused, suspended, or busy without a checkpoint."""


@frozen
class Decide(Effect):
    """Have a decree decided, and call `Office.ruled` with what became of it."""

    decree: Decree


@frozen
class Won(Effect):
    """The node leads an election, in this epoch."""

    election: str
    epoch: int


@frozen
class Lost(Effect):
    """The node's term is over; `Office.leave` is to be called when its work has stopped."""

    election: str
    loss: Loss


@frozen
class Out(Effect):
    """The node is neither a candidate nor the leader of an election any more."""

    election: str
    refused: str = ""
    """Why it could not become a candidate; empty where it left."""


@define
class Standing:
    """A node's part in one election."""

    priority: int
    value: bytes
    wanted: bool = True
    """False as soon as it is to leave."""
    undecided: bool = False
    """Whether a decree of it is under way."""
    epoch: int | None = None
    """Of its term, from the moment at which it was won."""
    lost: Loss | None = None
    """Why that term is over."""

    @property
    def working(self) -> bool:
        """Whether the application may still do what its term protects."""
        return self.epoch is not None and self.wanted

    @property
    def leading(self) -> bool:
        """Whether this node believes that it leads."""
        return self.working and self.lost is None
