"""Majorities, counted once more: a bug in how the nodes count must not be the checkers', too."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from attrs import frozen


@frozen
class Recount:
    """More than half of some nodes, for both phases and every slot."""

    nodes: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many are more than half."""
        return len(self.nodes) // 2 + 1

    def members(self, slot: int) -> tuple[str, ...]:
        """Return all."""
        return self.nodes

    def is_prepare_quorum(self, slot: int, nodes: AbstractSet[str]) -> bool:
        """Tell whether these are more than half."""
        return 2 * len(nodes & set(self.nodes)) > len(self.nodes)

    def is_accept_quorum(self, slot: int, nodes: AbstractSet[str]) -> bool:
        """Tell whether these are more than half."""
        return self.is_prepare_quorum(slot, nodes)
