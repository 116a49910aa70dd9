"""The smallest state machine: it shows that commands are kept in order and applied once."""

from __future__ import annotations


class Counter:
    """Answers each command, whatever it says, with how many there have been."""

    def __init__(self) -> None:
        self._count = 0

    def apply(self, command: bytes) -> bytes:
        """Count the command."""
        self._count += 1
        return str(self._count).encode()

    def snapshot(self) -> bytes:
        """Return the count."""
        return str(self._count).encode()

    def restore(self, snapshot: bytes) -> None:
        """Continue from a count."""
        self._count = int(snapshot)
