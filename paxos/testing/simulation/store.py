"""The state machine that simulated clients use: a key-value store with compare-and-set."""

from __future__ import annotations

import zlib

from paxos.replicated.state import StateMachine


class Store:
    """Registers by name. Commands: ``r key``, ``w key value`` and ``c key expected new``."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def apply(self, command: bytes) -> bytes:
        """Read, write, or compare and set; the answer is the value read, ``ok`` or ``no``."""
        verb, key, *values = command.split(b" ")
        if verb == b"r":
            return self._values.get(key, b"")
        if verb == b"c":
            expected, value = values
            if self._values.get(key, b"") != expected:
                return b"no"
        else:
            (value,) = values
        self._values[key] = value
        return b"ok"

    def get(self, key: str) -> bytes:
        """Read a value from the state as it is."""
        return self._values.get(key.encode(), b"")

    def snapshot(self) -> bytes:
        """Return the whole state."""
        return b"\n".join(b" ".join(item) for item in sorted(self._values.items()))

    def restore(self, snapshot: bytes) -> None:
        """Replace the whole state."""
        lines = snapshot.split(b"\n") if snapshot else []
        self._values = dict(line.split(b" ", 1) for line in lines)


class Watched:
    """A state machine, and a running digest of all that it was asked and answered.

    Its snapshots are longer by ``padding`` bytes, so that they travel in several pieces.
    """

    def __init__(self, machine: StateMachine, padding: int = 0) -> None:
        self.machine = machine
        self.digest = 0
        self._padding = bytes(padding)

    def apply(self, command: bytes) -> bytes:
        """Apply and digest; an error counts as an answer."""
        self.digest = zlib.crc32(command, self.digest)
        try:
            answer = self.machine.apply(command)
        except Exception as error:
            self.digest = zlib.crc32(repr(error).encode(), self.digest)
            raise
        self.digest = zlib.crc32(answer, self.digest)
        return answer

    def snapshot(self) -> bytes:
        """Return the machine's snapshot behind the digest and the padding."""
        return self.digest.to_bytes(4, "big") + self._padding + self.machine.snapshot()

    def restore(self, snapshot: bytes) -> None:
        """Restore both."""
        self.digest = int.from_bytes(snapshot[:4], "big")
        self.machine.restore(snapshot[4 + len(self._padding) :])
