"""Nodes compare how their states came about; one that differs from a quorum stops.

Equal logs must come to equal states. They do not where a state machine is not deterministic, where
memory or a disk is at fault, or where something in this package is wrong. Then it is better to lose
a node than to go on with two truths: each node tells the others its `ReplicatedState.checksum` at
every `COMPARED_EVERY`-th slot, and whoever differs from what a quorum agrees on stops.
"""

from __future__ import annotations

from attrs import define, field, frozen

from paxos.protocol.effects import Effects, Send
from paxos.protocol.quorums import Quorums
from paxos.replicated.events import StateDiverged
from paxos.replicated.messages import StateChecksum

COMPARED_EVERY = 256
"""Checksums are compared at the positions that are multiples of this, in slots."""

KEPT = 64
"""How many positions of each node are remembered: as far as one may be ahead of another."""


@frozen
class _Mark:
    position: int
    checksum: int


@define
class Comparison:
    """What this node and the others had come to at the same positions."""

    name: str
    quorums: Quorums
    diverged: str = ""
    """How this node's state differs; empty as long as it does not."""
    _marks: dict[str, dict[int, int]] = field(factory=dict)
    """By node and position, the checksum; this node's own among them."""
    _untold: _Mark | None = None

    def passed(self, position: int, checksum: int) -> Effects:
        """Note this node's own checksum at a position, and compare it with what others said."""
        self._untold = _Mark(position, checksum)
        return self._note(self.name, position, checksum)

    def tell(self) -> Effects:
        """Tell the others the newest checksum, once."""
        mark, self._untold = self._untold, None
        if mark is None:
            return ()
        others = tuple(n for n in self.quorums.members(mark.position) if n != self.name)
        return (Send(others, StateChecksum(mark.position, mark.checksum)),) if others else ()

    def on_checksum(self, source: str, message: StateChecksum) -> Effects:
        """Hear another node's checksum."""
        if source not in self.quorums.members(message.position):
            return ()
        return self._note(source, message.position, message.checksum)

    def _note(self, node: str, position: int, checksum: int) -> Effects:
        marks = self._marks.setdefault(node, {})
        marks[position] = checksum
        if len(marks) > KEPT:
            del marks[min(marks)]
        return self._compare(position)

    def _compare(self, position: int) -> Effects:
        own = self._marks.get(self.name, {}).get(position)
        if own is None or self.diverged:
            return ()
        said = {node: marks[position] for node, marks in self._marks.items() if position in marks}
        for checksum in set(said.values()) - {own}:
            equal = {node for node, other in said.items() if other == checksum}
            if self.quorums.is_accept_quorum(position, equal):
                self.diverged = (
                    f"the state of this node below slot {position} differs from that of "
                    f"{', '.join(sorted(equal))}: its state machine is not deterministic, or its "
                    "memory or disk is at fault. It takes no part any more: stop it, set its "
                    "journal aside, and start it again to have the state of the others"
                )
                return (StateDiverged(position, self.diverged),)
        return ()
