"""Named elections: one leader for each epoch, no two who believe, no older epoch after a newer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from attrs import define, field

from paxos.replicated.election_decrees import LeaderChanged
from paxos.replicated.state import Applied
from paxos.replicated.values import Leadership
from paxos.testing.checkers.base import Checker, Violation


@define
class NamedElections(Checker):
    """Reads the leaderships in the longest log, and hears what their holders believe and do."""

    counts: Counter[str] = field(factory=Counter)
    """How often each thing was seen that would prove nothing if it never happened."""
    _slots: int = 0
    _leaders: dict[str, Leadership] = field(factory=dict)
    """By election, the last leadership in the longest log."""
    _known: set[Leadership] = field(factory=set)
    _believed: set[Leadership] = field(factory=set)
    _accepted: dict[str, Leadership] = field(factory=dict)
    """By election, the newest that its guarded resource has served."""

    def applied(self, node: str, applied: Applied) -> None:
        """See that each epoch follows the one before; every slot is looked at once."""
        if applied.slot < self._slots:
            return
        self._slots = applied.slot + 1
        for change in applied.changes:
            if isinstance(change, LeaderChanged) and change.view.leadership is not None:
                self._lead(change.view.leadership)

    def _lead(self, leadership: Leadership) -> None:
        name = leadership.election
        last = self._leaders.get(name)
        if leadership == last:
            return  # a new value was proclaimed
        if leadership.epoch != (last.epoch if last else 0) + 1:
            raise Violation(f"{name}: {leadership} follows {last}")
        self._leaders[name] = leadership
        self._known.add(leadership)
        self.counts["terms"] += 1

    def believed(self, election: str, believers: Collection[Leadership]) -> None:
        """Hear who believes to lead at one moment of true time, each by its own clock."""
        if len(believers) > 1:
            raise Violation(
                f"{election}: several believe to lead: {', '.join(map(str, believers))}"
            )
        self._believed.update(believers)

    def acted(self, leadership: Leadership) -> None:
        """Hear that a leader used a guarded resource, which serves no epoch older than another."""
        newest = self._accepted.get(leadership.election)
        if newest is not None and leadership.epoch < newest.epoch:
            self.counts["refused acts"] += 1
            return
        if newest is not None and leadership.epoch == newest.epoch and leadership != newest:
            raise Violation(f"{leadership.election}: both {newest} and {leadership} were served")
        self._accepted[leadership.election] = leadership
        self.counts["acts"] += 1

    def finished(self) -> None:
        """See that every leadership that was believed was decided."""
        for leadership in self._believed - self._known:
            raise Violation(f"{leadership.election}: {leadership} was never decided")
