"""The decrees of named elections, and what they change.

======================== ============================ ==========================================
decree                   proposed by                  meaning
======================== ============================ ==========================================
`Campaign`               a candidate                  put me on the roster of this election
`Renew`                  candidates and leaders       I live: so do my candidacies and terms
`Resign`                 a candidate or leader        I leave this election
`Proclaim`               a leader                     this is the value of my term
`HandOver`               anybody                      let this candidate follow the leader
`Expire`                 the log's leader             that node has not renewed in time
`Leadership`             the log's leader             this candidate leads, in this epoch
======================== ============================ ==========================================

A decree of a node's new life ends all candidacies and terms of its former one.
"""

from __future__ import annotations

from attrs import frozen

from paxos.replicated.decrees import Change, Decree
from paxos.replicated.values import Leadership

MAX_PROCLAIMED = 4096
"""The largest value that a leader proclaims, in bytes."""

MAX_PRIORITY = 1 << 31
"""Priorities are smaller than this, and greater than its negative."""


class ElectionDecree(Decree):
    """Base of the decrees that `Elections` takes, but for `Leadership`."""

    __slots__ = ()


@frozen
class Renew(ElectionDecree):
    """The session of the proposing node goes on."""

    renewal: int
    """The node counts what it sends in its session; an expiry names the renewal it rests on."""
    lease: int
    """For how long the node counts on it, in microseconds: a duration, never a time."""


@frozen
class Campaign(ElectionDecree):
    """The proposing node stands in an election; it renews the node's session, too."""

    renewal: int
    lease: int
    election: str
    priority: int
    value: bytes
    """What is proclaimed when the candidate is elected."""

    @property
    def size(self) -> int:
        """Count the value."""
        return 128 + len(self.value)


@frozen
class Resign(ElectionDecree):
    """The proposing node leaves an election, as a candidate or as its leader."""

    election: str


@frozen
class Proclaim(ElectionDecree):
    """The leader of an election has another value."""

    election: str
    epoch: int
    value: bytes

    @property
    def size(self) -> int:
        """Count the value."""
        return 128 + len(self.value)


@frozen
class HandOver(ElectionDecree):
    """Whoever leads in this epoch is to make room for a certain candidate."""

    election: str
    epoch: int
    to: str


@frozen
class Expire(ElectionDecree):
    """A node's session ends unless it was renewed after this renewal."""

    node: str
    boot: int
    renewal: int


# What they change.


@frozen
class ElectionView:
    """Who leads an election, or why nobody does."""

    leadership: Leadership | None
    value: bytes
    """What the leader has proclaimed; empty when there is none."""
    reason: str
    """Why the last term ended: ``resigned``, ``expired`` or ``restarted``; empty while it lasts."""

    def __str__(self) -> str:
        """Return the form shown to people."""
        return str(self.leadership) if self.leadership is not None else f"nobody ({self.reason})"


@frozen
class LeaderChanged(Change):
    """An election has another leader, or none, or its leader another value."""

    election: str
    view: ElectionView


@frozen
class Vacant(Change):
    """An election that nobody leads has one more candidate: there is somebody to appoint."""

    election: str


@frozen
class Renewed(Change):
    """A session goes on: this renewal is the newest."""

    node: str
    boot: int
    renewal: int


@frozen
class SessionEnded(Change):
    """A node has left every election."""

    node: str
    boot: int


@frozen
class HandOverAsked(Change):
    """The leader of an election is to make room."""

    election: str
    epoch: int
    to: str
