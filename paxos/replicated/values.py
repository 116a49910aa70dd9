"""The values that the slots of a replicated log decide."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from attrs import frozen

from paxos.protocol.values import NoOp

CLIENT_PREFIX = "client-"
"""Names of clients begin so, and members' do not."""


class Session(NamedTuple):
    """One life of one proposer of commands: a node's name and how often it has been started.

    A client lives once, under a name that is never used again.
    """

    node: str
    boot: int


CommandId: TypeAlias = tuple[Session, int]
"""The name under which a command is applied at most once."""


class Command(NamedTuple):
    """What an application proposed: its session's ``number``-th command."""

    session: Session
    number: int
    data: bytes

    @property
    def id(self) -> CommandId:
        """The name under which it is applied at most once."""
        return self[:2]


@frozen
class Failure:
    """The answer of a state machine that raised an error."""

    error: str


Result: TypeAlias = bytes | Failure
"""What a state machine made of a command."""


@frozen
class Batch:
    """The commands that one slot decides, applied in this order."""

    commands: tuple[Command, ...]

    def __str__(self) -> str:
        """Return the form shown to people."""
        return f"{len(self.commands)} command{'s' * (len(self.commands) != 1)}"


@frozen
class Leadership:
    """The decision that ``leader`` leads, as the ``epoch``-th leadership of the cluster."""

    leader: str
    epoch: int

    def __str__(self) -> str:
        """Return the form shown to people: ``leader=node2, epoch=7``."""
        return f"leader={self.leader}, epoch={self.epoch}"


LogValue: TypeAlias = Batch | Leadership | NoOp

MAX_COMMAND_BYTES = 1 << 20
"""The largest command, in bytes."""

MAX_BATCH_BYTES = 256 << 10
"""A batch is closed when its commands reach this many bytes; one command may exceed it."""

MAX_BATCH_COMMANDS = 1024
"""A batch is closed when it has this many commands."""
