"""Ballot numbers: the one total order on which everything rests."""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class _NumberAndNode(NamedTuple):
    number: int
    node: str


class Ballot(_NumberAndNode):
    """A proposal number, ``(number, node)``, compared as a tuple (section 2.2).

    Different proposers choose their numbers from disjoint sets: the proposer's own name breaks
    ties, so no two proposers ever use the same ballot. ``Ballot.ZERO`` sorts below every real one.
    """

    __slots__ = ()

    ZERO: ClassVar[Ballot]

    def __str__(self) -> str:
        """Return a short form for people, such as ``7.node2``."""
        return f"{self.number}.{self.node}"


Ballot.ZERO = Ballot(0, "")
