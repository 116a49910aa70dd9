"""Which sets of acceptors are big enough for a phase."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Protocol

from attrs import field, frozen


class Quorums(Protocol):
    """Looked up for each slot, so that the members may change with the log.

    Safety asks for one thing: every quorum for the prepare phase of a slot meets every quorum for
    its accept phase. Majorities for both are the simplest choice, not the only one.
    """

    def members(self, slot: int) -> tuple[str, ...]:
        """Return the acceptors of ``slot``, in the order of their rank."""
        ...

    def is_prepare_quorum(self, slot: int, nodes: AbstractSet[str]) -> bool:
        """Tell whether these promises complete phase 1 for ``slot``."""
        ...

    def is_accept_quorum(self, slot: int, nodes: AbstractSet[str]) -> bool:
        """Tell whether these votes, all of one ballot, choose a value for ``slot``."""
        ...


@frozen
class Majority:
    """More than half of a fixed membership, for both phases and every slot.

    Nodes that are no members count for nothing, whatever they say.
    """

    nodes: tuple[str, ...]
    size: int = field(init=False, repr=False)
    """How many nodes make a majority."""
    _set: frozenset[str] = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Keep size and set beside the tuple: counting votes is on the hot path."""
        object.__setattr__(self, "size", len(self.nodes) // 2 + 1)
        object.__setattr__(self, "_set", frozenset(self.nodes))
        if not self.nodes or len(self._set) != len(self.nodes):
            raise ValueError(f"a membership needs at least one node, each once: {self.nodes}")

    def members(self, slot: int) -> tuple[str, ...]:
        """Return the fixed membership."""
        return self.nodes

    def is_prepare_quorum(self, slot: int, nodes: AbstractSet[str]) -> bool:
        """Tell whether ``nodes`` hold a majority of the members."""
        return len(self._set & nodes) >= self.size

    def is_accept_quorum(self, slot: int, nodes: AbstractSet[str]) -> bool:
        """Tell whether ``nodes`` hold a majority of the members."""
        return len(self._set & nodes) >= self.size
