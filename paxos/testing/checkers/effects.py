"""An effect happens once, whoever causes it, and has one outcome."""

from __future__ import annotations

from attrs import define, field

from paxos.replicated.election_decrees import LeaderChanged
from paxos.replicated.state import Applied
from paxos.replicated.values import Leadership
from paxos.testing.checkers.base import Checker, Violation


@define
class EffectsOnce(Checker):
    """Hears what really happened in the outside world, and what the log says of it."""

    _caused: dict[tuple[str, str], bytes] = field(factory=dict)
    """By name and key, the receipt of what has happened."""
    _slots: int = 0
    _leaderships: dict[str, list[tuple[int, Leadership | None]]] = field(factory=dict)
    """By election, who led from which slot on, in the longest log."""

    def applied(self, node: str, applied: Applied) -> None:
        """Note who leads; every slot is looked at once."""
        if applied.slot < self._slots:
            return
        self._slots = applied.slot + 1
        for change in applied.changes:
            if isinstance(change, LeaderChanged):
                leaderships = self._leaderships.setdefault(change.election, [])
                leaderships.append((applied.slot, change.view.leadership))

    def intended(self, leadership: Leadership, slot: int) -> None:
        """Hear that a leader may cause an effect, as was decided in a slot: only while it leads."""
        known = self._leaderships.get(leadership.election, [])
        before = [led for at, led in known if at < slot][-1:]
        if leadership not in (*before, *(led for at, led in known if at == slot)):
            raise Violation(f"{leadership} intends an effect in slot {slot}, and does not lead")

    def caused(self, name: str, key: str, receipt: bytes) -> None:
        """Hear that an effect has happened."""
        if (name, key) in self._caused:
            raise Violation(f"the effect {name}/{key} has happened twice")
        self._caused[name, key] = receipt

    def concluded(self, name: str, key: str, outcome: bytes) -> None:
        """Hear which outcome was decided."""
        receipt = self._caused.get((name, key))
        if receipt != outcome:
            raise Violation(
                f"the outcome of {name}/{key} was decided to be {outcome!r}, and it is {receipt!r}"
            )
