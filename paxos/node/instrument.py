"""The one seam through which others watch a node."""

from __future__ import annotations

from paxos.journal import JournalError
from paxos.protocol.events import Event
from paxos.replicated.values import Leadership


class Instrument:
    """Hears what happens in a node; override what is of interest, quickly and without raising."""

    def event(self, event: Event) -> None:
        """Hear what a role reports, such as a ballot begun or a slot chosen."""

    def leader_changed(self, leadership: Leadership | None) -> None:
        """Hear that the node takes another leader for the live one, or none."""

    def journal_failed(self, error: JournalError) -> None:
        """Hear that the node votes no more."""
