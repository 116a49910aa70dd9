"""Commands that wait for a slot: bounded, and no node's commands wait for all of another's."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import islice
from typing import TypeAlias

from attrs import define, field

from paxos.replicated.values import (
    MAX_BATCH_BYTES,
    Command,
    CommandId,
)

FULL_BATCH = 256
"""How many commands a batch takes at most. A larger one would cost less, but all would wait for it:
with several under way at once leader and followers work at the same time. Measured with 256 to
1,024 commands in flight on two processors: in batches half as large each costs a tenth more and no
more are decided, and in batches twice as large the slowest with 512 in flight take twice as long.
"""

MAX_PENDING = 1 << 13
"""How many commands of one node wait; more are dropped, and the node sends them again."""

MAX_PENDING_BYTES = 64 << 20
"""How many bytes of commands of one node wait."""

Line: TypeAlias = tuple[str, bool]
"""A node's commands, or its decrees: the latter keep its leases, and have a line of their own."""


@define
class Queue:
    """What waits of one node, in the order in which it came; a repeated command waits once."""

    commands: dict[CommandId, Command] = field(factory=dict)
    size: int = 0
    """In bytes."""

    def take(
        self, most: int, most_bytes: int, *, one: bool
    ) -> tuple[dict[CommandId, Command], int]:
        """Remove the first so many, of so many bytes together; return them and their bytes.

        With ``one``, the first is among them however large it is.
        """
        if len(self.commands) <= most and self.size <= most_bytes:
            everything, self.commands = self.commands, {}
            size, self.size = self.size, 0
            return everything, size
        taken: dict[CommandId, Command] = {}
        size = 0
        for key, command in islice(self.commands.items(), most):
            if size + command.size > most_bytes and (taken or not one):
                break
            taken[key] = command
            size += command.size
        for key in taken:
            del self.commands[key]
        self.size -= size
        return taken, size


@define
class Pending:
    """All that waits. A batch has of every node as much, as far as the node has so much."""

    queues: dict[Line, Queue] = field(factory=dict)
    """The one that has waited longest for its turn comes first."""
    dropped: int = 0
    """How many commands found no room."""

    def __len__(self) -> int:
        return sum(len(queue.commands) for queue in self.queues.values())

    def __bool__(self) -> bool:
        return bool(self.queues)

    def add(self, source: str, commands: Iterable[Command], known: Container[CommandId]) -> None:
        """Let a node's commands wait, but for those that are ``known``; drop and count the rest."""
        for command in commands:
            session, number, data = command
            key = session, number
            if key in known:
                continue
            size = len(data) if type(data) is bytes else command.size
            line = source, type(data) is bytes
            queue = self.queues.get(line) or self.queues.setdefault(line, Queue())
            if key in queue.commands:
                continue
            if len(queue.commands) >= MAX_PENDING or queue.size + size > MAX_PENDING_BYTES:
                self.dropped += 1
                continue
            queue.commands[key] = command
            queue.size += size

    def clear(self) -> None:
        """Forget all: this node leads no more."""
        self.queues.clear()

    def batch(self, known: set[CommandId]) -> tuple[Command, ...]:
        """Remove and return what the next slot decides, and note it in ``known``.

        What is known by now came through two nodes. One command may exceed the bytes of a batch;
        then none follows it.
        """
        batch: list[Command] = []
        room, room_bytes = FULL_BATCH, MAX_BATCH_BYTES
        share = max(1, room // max(1, len(self.queues)))
        while self.queues and room > 0:
            line, queue = next(iter(self.queues.items()))
            taken, size = queue.take(min(share, room), room_bytes, one=not batch)
            if not taken:
                break
            del self.queues[line]
            if queue.commands:
                self.queues[line] = queue
            room, room_bytes = room - len(taken), room_bytes - size
            for twice in known.intersection(taken):
                del taken[twice]
            batch += taken.values()
            known.update(taken)
        return tuple(batch)
