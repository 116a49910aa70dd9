"""What every checker is: it hears what happens, and raises when it must not have."""

from __future__ import annotations

from collections.abc import Sequence

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.records import Record
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

    def applied(self, node: str, applied: Applied) -> None:
        """Hear that a slot took effect at a node."""

    def reached(self, node: str, position: int, digest: int) -> None:
        """Hear the digest of a node's state after every slot below ``position``."""

    def restarted(self, node: str, acceptor: Acceptor, frontier: int) -> None:
        """Hear that a node begins a life, and what it remembers."""
