"""A state machine for measurements of everything else; it imports nothing, so it weighs nothing."""

from __future__ import annotations


class Nothing:
    """Costs nothing and holds nothing."""

    def apply(self, command: bytes) -> bytes:
        """Answer."""
        return b""

    def snapshot(self) -> bytes:
        """Return nothing."""
        return b""

    def restore(self, snapshot: bytes) -> None:
        """Take nothing."""
