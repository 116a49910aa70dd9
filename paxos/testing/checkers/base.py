"""What every checker is: it hears what happens, and raises when it must not have."""

from __future__ import annotations

from collections.abc import Sequence

from paxos.protocol.events import Event
from paxos.protocol.messages import Message
from paxos.protocol.records import Record
from paxos.replicated.roles import Roles
from paxos.replicated.routing import Role
from paxos.replicated.state import Applied


class Violation(AssertionError):  # noqa: N818 - it is what the checkers look for
    """An invariant does not hold; the text says which, and shows it."""


class Checker:
    """Base of the invariants: each overrides what it wants to hear, and may be used alone."""

    @property
    def name(self) -> str:
        """The invariant's name."""
        return type(self).__name__

    def persisted(self, node: str, records: Sequence[Record]) -> None:
        """Hear that these records are durable at a node."""

    def sent(self, node: str, message: Message) -> None:
        """Hear what a node says, to whomever, before anybody else hears it."""

    def listens(self, node: str, role: Role) -> None:
        """Hear that a role of a node begins to handle what has arrived."""

    def turned(self, node: str, roles: Roles) -> None:
        """Hear that one of a node's roles has handled what had arrived."""

    def happened(self, node: str, event: Event) -> None:
        """Hear what a role of a node reports."""

    def applied(self, node: str, applied: Applied) -> None:
        """Hear that a slot took effect at a node."""

    def reached(self, node: str, position: int, digest: int) -> None:
        """Hear the digest of a node's state after every slot below ``position``."""

    def installed(self, node: str, position: int) -> None:
        """Hear that a node's state is now that of a snapshot of this position."""

    def read_begun(self, node: str, number: int) -> None:
        """Hear that somebody wants to read a node's state."""

    def read_ready(self, node: str, number: int, position: int) -> None:
        """Hear that the read may be done, of the state after every slot below ``position``."""

    def recovered(self, node: str, records: Sequence[Record]) -> None:
        """Hear what a node's journal gives back at the beginning of a life."""

    def restarted(self, node: str, roles: Roles) -> None:
        """Hear that a node begins a life, and what its roles remember."""

    def rested(self, node: str, roles: Roles) -> None:
        """Hear that nobody has asked a node for anything for a while, and nothing keeps it off."""

    def finished(self) -> None:
        """Hear that the run is over."""


def overriding(checkers: Sequence[Checker], hook: str) -> tuple[Checker, ...]:
    """Return the checkers that want to hear this: most events concern few of them."""
    nothing = getattr(Checker, hook)
    return tuple(c for c in checkers if getattr(type(c), hook) is not nothing)
