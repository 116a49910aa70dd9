"""The decrees of effects, and what becomes of them.

============== ======================== ==========================================================
decree         proposed by              meaning
============== ======================== ==========================================================
`Intend`       an election's leader     I am about to cause this effect
`Conclude`     whoever has caused it    it has happened, and this came of it
============== ======================== ==========================================================
"""

from __future__ import annotations

from attrs import frozen

from paxos.replicated.decrees import Decree, Ruling

MAX_KEY = 200
"""The longest key of an effect, in characters."""

MAX_OUTCOME = 4096
"""The largest outcome of an effect, in bytes."""

MAX_RETENTION = 100 * 365 * 86400
"""The longest time for which outcomes are kept, in seconds."""


class EffectDecree(Decree):
    """Base of the decrees that `Effects` takes."""

    __slots__ = ()


@frozen
class Intend(EffectDecree):
    """The proposing node, which leads the election of this name, is about to cause an effect."""

    name: str
    key: str
    epoch: int
    since: int
    """The key was made when the log had this position, or later; -1 where nobody knows."""
    retention: int
    """For how long outcomes under this name are kept, in seconds."""

    @property
    def size(self) -> int:
        """Count the key."""
        return 128 + len(self.key)


@frozen
class Conclude(EffectDecree):
    """An effect has happened. True whoever says it, so no epoch is asked for."""

    name: str
    key: str
    outcome: bytes
    at: int
    """The proposer's clock, in seconds since 1970. Only forgetting looks at it."""

    @property
    def size(self) -> int:
        """Count the outcome."""
        return 128 + len(self.key) + len(self.outcome)


# What becomes of them.


@frozen
class Intended(Ruling):
    """The effect may be caused now."""

    attempted: bool
    """Somebody may have caused it already: ask before acting."""


@frozen
class Concluded(Ruling):
    """The effect has happened, and this was decided about it first."""

    outcome: bytes


@frozen
class NotTheLeader(Ruling):
    """The proposing node does not lead the election in that epoch."""

    leader: str | None
    epoch: int
    """The newest epoch."""


@frozen
class Forgotten(Ruling):
    """The key may be one of those whose outcomes are forgotten."""

    horizon: int
    """Keys that were made at or after this position are remembered."""


@frozen
class TooManyOpen(Ruling):
    """So many intents are open that no further one is taken."""
