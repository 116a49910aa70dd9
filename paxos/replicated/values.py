"""The values that the slots of a replicated log decide."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from attrs import field, frozen

from paxos.protocol.values import NoOp
from paxos.replicated.decrees import Decree

CLIENT_PREFIX = "client-"
"""Names of clients begin so, and members' do not."""


class Session(NamedTuple):
    """One life of one proposer of commands: a node's name, and a number that rises with each.

    A client lives once, under a name that is never used again.
    """

    node: str
    boot: int


CommandId: TypeAlias = tuple[Session, int]
"""The name under which a command is applied at most once."""


class Command(NamedTuple):
    """What an application or a node itself proposed: its session's ``number``-th command."""

    session: Session
    number: int
    data: bytes | Decree
    """Bytes for the application's machine, or a decree for the rest of the replicated state."""

    @property
    def id(self) -> CommandId:
        """The name under which it is applied at most once."""
        return self[:2]

    @property
    def size(self) -> int:
        """How many bytes it has, or about so many for a decree."""
        data = self.data
        return len(data) if type(data) is bytes else data.size  # type: ignore[union-attr]  # a decree


@frozen
class Failure:
    """The answer of a state machine that raised an error."""

    error: str
    """The class of the error, a colon, and its text."""

    @property
    def kind(self) -> str:
        """The class of the error."""
        return self.error.partition(":")[0]


Result: TypeAlias = bytes | Failure
"""What a state machine made of a command."""


@frozen
class Batch:
    """The commands that one slot decides, applied in this order."""

    commands: tuple[Command, ...]
    encoded: bytes = field(default=b"", eq=False, repr=False)
    """How it travels and is kept, if that is known already: nobody need encode it again."""

    def __str__(self) -> str:
        """Return the form shown to people."""
        return f"{len(self.commands)} command{'s' * (len(self.commands) != 1)}"


@frozen
class Leadership(Decree):
    """The decision that ``leader`` leads, as the ``epoch``-th leadership of an election.

    The cluster's own election, of the node that leads the log, has no name, and its leaderships
    are values of slots by themselves. Those of named elections are decrees.
    """

    leader: str
    epoch: int
    election: str = ""

    def __str__(self) -> str:
        """Return the form shown to people: ``leader=node2, epoch=7``."""
        return f"leader={self.leader}, epoch={self.epoch}"


LogValue: TypeAlias = Batch | Leadership | NoOp

MAX_COMMAND_BYTES = 1 << 20
"""The largest command, in bytes."""

MAX_BATCH_BYTES = 256 << 10
"""A batch is closed when its commands reach this many bytes; one command may exceed it."""

MAX_BATCH_COMMANDS = 1024
"""No message has more of them, nor a batch; a leader makes smaller ones, see `pending`."""
