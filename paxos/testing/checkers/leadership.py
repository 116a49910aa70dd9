"""One leader for each epoch, and epochs rise by one."""

from __future__ import annotations

from attrs import define

from paxos.replicated.state import Applied
from paxos.replicated.values import Batch, Leadership
from paxos.testing.checkers.base import Checker, Violation


@define
class OneLeaderPerEpoch(Checker):
    """Reads the leaderships in the longest log; that all logs agree is for others to see."""

    _last: int = 0
    _slots: int = 0

    def applied(self, node: str, applied: Applied) -> None:
        """See that each epoch follows the one before; every slot is looked at once."""
        if applied.slot < self._slots:
            return
        self._slots = applied.slot + 1
        match applied.value:
            case Leadership(epoch=epoch):
                if epoch != self._last + 1:
                    raise Violation(f"{applied.value} follows epoch {self._last}")
                self._last = epoch
            case Batch() if self._last == 0:
                raise Violation(f"slot {applied.slot} has commands before the first leadership")
