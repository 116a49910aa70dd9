"""What a node finds that somebody must see to. An alarm never stops anything by itself."""

from __future__ import annotations

from attrs import frozen

from paxos.protocol.events import Event
from paxos.replicated.events import Alarm


@frozen
class CloneFound(Alarm):
    """Two live processes seal with the name of one member; the later is told to stop."""

    name: str

    def __str__(self) -> str:
        """Return the alarm in words."""
        return (
            f"two live processes are {self.name}: the one that started later is told to stop; find "
            "out who copied its files"
        )


@frozen
class KeysChanged(Event):
    """The node uses the key file's new content."""

    ids: tuple[str, ...]
    """The public names of the keys; the first seals."""


@frozen
class KeysRefused(Alarm):
    """The key file has changed and cannot be used: the node goes on with the keys it has."""

    why: str

    def __str__(self) -> str:
        """Return the alarm in words."""
        return f"{self.why}; until then the keys from before are in use"
