"""An effect happens once, whoever causes it, and has one outcome."""

from __future__ import annotations

from attrs import define, field

from paxos.testing.checkers.base import Checker, Violation


@define
class EffectsOnce(Checker):
    """Hears what really happened in the outside world, and what the log says of it."""

    _caused: dict[tuple[str, str], bytes] = field(factory=dict)
    """By name and key, the receipt of what has happened."""

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
