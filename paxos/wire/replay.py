"""Which counters of one key were used already."""

from __future__ import annotations

from typing import Final

WIDTH: Final = 4096
"""How far a datagram may be overtaken and still count as new, in counters of its sender."""

_MASK: Final = (1 << WIDTH) - 1


class ReplayWindow:
    """Remembers the newest `WIDTH` counters; what is older counts as used."""

    __slots__ = ("_highest", "_used")

    def __init__(self) -> None:
        self._highest = -1
        self._used = 0
        """Bit n stands for the counter n below the highest."""

    def is_new(self, counter: int) -> bool:
        """Say whether the counter was never added."""
        behind = self._highest - counter
        return behind < 0 or (behind < WIDTH and not self._used >> behind & 1)

    def begin_after(self, counter: int) -> None:
        """Count everything up to a counter as used, whether or not it was."""
        self._highest = max(self._highest, counter)
        self._used |= _MASK & ~((1 << self._highest - counter) - 1)

    def add(self, counter: int) -> None:
        """Remember a counter, once its datagram has proved authentic."""
        ahead = counter - self._highest
        if ahead <= 0:
            self._used |= 1 << -ahead
            return
        self._highest = counter
        # Without the bound, one datagram could ask for a shift by 2**64 bits.
        self._used = (self._used << ahead & _MASK) | 1 if ahead < WIDTH else 1
