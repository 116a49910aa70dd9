"""The state machine that simulated clients use: a key-value store with compare-and-set."""

from __future__ import annotations

import zlib
from typing import Final

from paxos.machines import KeyValue
from paxos.machines.commands import Compare, Get, Put, Simple, Transaction, encode
from paxos.replicated.state import StateMachine
from paxos.wire.cbor import parse

TORN: Final = b"half a transaction"

TWIN: Final = "'"
"""What the name of a key's twin has more."""


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

    def value(self, key: str) -> bytes:
        """Read a value from the state as it is."""
        return self._values.get(key.encode(), b"")

    def snapshot(self) -> bytes:
        """Return the whole state."""
        return b"\n".join(b" ".join(item) for item in sorted(self._values.items()))

    def restore(self, snapshot: bytes) -> None:
        """Replace the whole state."""
        lines = snapshot.split(b"\n") if snapshot else []
        self._values = dict(line.split(b" ", 1) for line in lines)


class Transactions(KeyValue):
    """The same registers in a `KeyValue`: each command is a transaction, and so is each answer.

    A write or compare-and-set also sets a second key to the same value, in the same transaction.
    Whoever reads a key reads both; where they differ, it gets what nobody ever wrote.
    """

    def apply(self, command: bytes) -> bytes:
        """See `Store.apply`."""
        verb, name, *values = command.split(b" ")
        key = name.decode()
        compares: tuple[Compare, ...] = ()
        then: tuple[Simple, ...] = (Get(key), Get(key + TWIN))
        if verb != b"r":
            then = (Put(key + TWIN, values[-1]), Put(key, values[-1]))
        if verb == b"c":
            compares = (Compare(key, "value", "=", values[0] or None),)
        _, (held, answers) = parse(super().apply(encode(Transaction(compares, then))))
        if verb != b"r":
            return b"ok" if held else b"no"
        value, twin = (item and item[0] for item in answers)
        return (value or b"") if value == twin else TORN

    def value(self, key: str) -> bytes:
        """See `Store.value`."""
        return super().get(key, b"")


def look_up(machine: Watched, key: str) -> bytes:
    """Read a register from a node's own state, as it is."""
    assert isinstance(machine.machine, Store | Transactions)
    return machine.machine.value(key)


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
