"""State machines for tests."""

from __future__ import annotations


class Adder:
    """Adds numbers and answers with the sum."""

    def __init__(self) -> None:
        self.sum = 0

    def apply(self, command: bytes) -> bytes:
        self.sum += int(command)
        return str(self.sum).encode()

    def snapshot(self) -> bytes:
        return str(self.sum).encode()

    def restore(self, snapshot: bytes) -> None:
        self.sum = int(snapshot)
