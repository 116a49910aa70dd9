"""No flipped bit passes for what was written."""

from __future__ import annotations

from tests.journal.flips import flip_many


def test_a_thousand_flipped_bits_are_noticed_or_harmless() -> None:
    outcomes = flip_many(1000, seed=1)
    assert sum(outcomes.values()) == 1000
    assert all(outcomes[kind] > 20 for kind in ("refused", "in doubt", "harmless"))
