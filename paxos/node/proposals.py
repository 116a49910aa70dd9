"""A node's commands under way: bounded, and a task is woken once for all that it waits for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TypeAlias

import outcome
import trio
from attrs import define, field

from paxos.errors import OutcomeUnknown, Overloaded, PaxosError, StateDiverged
from paxos.node.post import Post
from paxos.replicated.decrees import Decree, Ruling
from paxos.replicated.log_proposer import LogProposer
from paxos.replicated.messages import Adopted
from paxos.replicated.sessions import SESSION_WINDOW
from paxos.replicated.state import Applied
from paxos.replicated.values import Command, CommandId, Result

MAX_IN_FLIGHT = 4096
"""How many commands of one node wait for their answers; further ones wait for room."""

MAX_IN_FLIGHT_BYTES = 64 << 20
"""How many bytes these may have together."""

MAX_AHEAD = SESSION_WINDOW // 2
"""So far may the numbers of this node's commands be apart that are under way: one that is held up
until so many others have overtaken it that it leaves the window would never be applied. The other
half of the window is for decrees, which do not wait."""

BULK_SHARE = 1024
"""How many of many commands go together before it is others' turn."""

ENDED = -2
"""In place of a slot: the node was closed, or its state diverged."""

Answer: TypeAlias = Result | Ruling
"""What came of a command, or of a decree."""


@define(eq=False)
class Bulk:
    """Many commands of one task."""

    answers: dict[CommandId, Answer | None] = field(factory=dict)
    """In the order in which they were proposed; None where there is no answer."""
    left: int = 0
    task: trio.lowlevel.Task | None = None

    def settle(self, command: CommandId, answer: Answer | None) -> None:
        """Take one answer; the last wakes the task, if it sleeps already."""
        self.answers[command] = answer
        self.left -= 1
        if self.left == 0 and self.task is not None:
            task, self.task = self.task, None
            trio.lowlevel.reschedule(task)


class Proposals:
    """Carries a node's commands to its proposer, and the answers to those who wait for them."""

    def __init__(
        self, name: str, proposer: LogProposer, post: Post, next_id: Callable[[], CommandId]
    ) -> None:
        self.ended: PaxosError | None = None
        """Why this node proposes nothing any more."""
        self.refused = 0
        """How many commands were not taken since nobody wanted to wait."""
        self._name = name
        self._proposer = proposer
        self._post = post
        self._next_id = next_id
        self._number = 0
        """The last of this node's own commands that was given a number here."""
        self._horizon = MAX_AHEAD
        """Up to here numbers are known to be near enough to the oldest under way."""
        self._waiting: dict[CommandId, tuple[trio.lowlevel.Task | Bulk, int, int]] = {}
        """In the order in which they came: who waits, bytes, and `_number` at that time."""
        self._bytes = 0
        self._line: OrderedDict[trio.lowlevel.Task, int] = OrderedDict()
        """Who waits for room, first come first served, and for how many bytes."""
        self._reserved = 0
        self._reserved_bytes = 0
        """Room of those who are awake again, but have not run yet."""

    def statistics(self) -> dict[str, int]:
        """Return what is under way and what was refused."""
        return {
            "waiting": len(self._waiting),
            "waiting_bytes": self._bytes,
            "waiting_for_room": len(self._line),
            "refused": self.refused,
        }

    async def decide(
        self, data: bytes | Decree, name: CommandId | None = None, *, wait: bool = True
    ) -> tuple[int, Answer]:
        """Have a command applied once; return the slot that decided it, and its answer.

        It is this node's own, and numbered as soon as there is room for it, unless it has a
        ``name``. A decree never waits for room: a node's leases hang on it, and there are few.
        """
        size = data.size if isinstance(data, Decree) else len(data)
        if (self._line or self._full(size)) and not isinstance(data, Decree):
            await self._wait_for_room(size, wait=wait)
        command = self._admit(data, name, size, trio.lowlevel.current_task())

        def abort(_: object) -> trio.lowlevel.Abort:
            self._abandon(command.id)
            self.make_room()
            return trio.lowlevel.Abort.SUCCEEDED

        slot, answer = await trio.lowlevel.wait_task_rescheduled(abort)
        return slot, self._known(slot, answer)

    async def decide_all(self, commands: Iterable[bytes]) -> list[Answer]:
        """Have each of many commands applied once; return the answers in the same order."""
        bulk = Bulk()
        try:
            for data in commands:
                size, turn_over = len(data), len(bulk.answers) % BULK_SHARE == 0
                if self._full(size) or (turn_over and self._line):
                    await self._wait_for_room(size)
                command = self._admit(data, None, size, bulk)
                bulk.answers[command.id] = None
                bulk.left += 1
            await self._wait_for(bulk)
        finally:
            if bulk.left:
                for name in bulk.answers:
                    self._abandon(name)
                self.make_room()
        return [self._known(ENDED, answer) for answer in bulk.answers.values()]

    def applied(self, applied: Applied) -> None:
        """Wake the tasks whose commands took effect."""
        self._settle(applied.results)
        if self._line:
            self.make_room()

    def make_room(self) -> None:
        """Wake those for whom there is room now."""
        while self._line:
            task, size = next(iter(self._line.items()))
            if self._full(size) and self.ended is None:
                return
            del self._line[task]
            self._reserved += 1
            self._reserved_bytes += size
            trio.lowlevel.reschedule(task)

    def end(self, why: PaxosError) -> None:
        """Tell every waiting task that its outcome is unknown."""
        self.ended = self.ended or why
        self._settle([(command, ENDED, None) for command in self._waiting])
        self.make_room()

    def _full(self, size: int) -> bool:
        """Tell whether a command would exceed the bounds."""
        return (
            len(self._waiting) + self._reserved >= MAX_IN_FLIGHT
            or self._bytes + self._reserved_bytes + size > MAX_IN_FLIGHT_BYTES
            or (self._number + self._reserved >= self._horizon and self._far_ahead())
        )

    def _far_ahead(self) -> bool:
        """Tell whether the newest number is too far from the oldest that is under way."""
        _, _, oldest = next(iter(self._waiting.values()), (None, 0, self._number))
        self._horizon = min(oldest, self._number) + MAX_AHEAD  # a later session begins at zero
        return self._number + self._reserved >= self._horizon

    async def _wait_for_room(self, size: int, *, wait: bool = True) -> None:
        """Wait behind those who came before, until there is room."""
        if not wait:
            self.refused += 1
            raise Overloaded(
                f"{len(self._waiting):,} commands of {self._bytes:,} bytes are under way from this "
                "node, and it takes no more: nothing was proposed. Propose less, or wait"
            )
        task = trio.lowlevel.current_task()
        self._line[task] = size

        def abort(_: object) -> trio.lowlevel.Abort:
            del self._line[task]
            self.make_room()
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        self._reserved -= 1
        self._reserved_bytes -= size

    def _admit(
        self,
        data: bytes | Decree,
        name: CommandId | None,
        size: int,
        who: trio.lowlevel.Task | Bulk,
    ) -> Command:
        if isinstance(self.ended, StateDiverged):
            raise StateDiverged(*self.ended.args)
        if self.ended is not None:
            raise OutcomeUnknown(
                "the node is closed: the command was not proposed from here"
            ) from self.ended
        if name is None:
            name = self._next_id()
            self._number = name[1]
        command = Command(*name, data)
        self._waiting[name] = (who, size, self._number)
        self._bytes += size
        if self._proposer.adopt(command):
            self._post.deliver(self._name, Adopted())
        return command

    async def _wait_for(self, bulk: Bulk) -> None:
        if not bulk.left:
            await trio.lowlevel.checkpoint()
            return
        bulk.task = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            bulk.task = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _settle(self, answers: Iterable[tuple[CommandId, int, Answer | None]]) -> None:
        for command, slot, answer in answers:
            waiting = self._waiting.pop(command, None)
            if waiting is None:
                continue
            who, size, _ = waiting
            self._bytes -= size
            if isinstance(who, Bulk):
                who.settle(command, answer)
            else:
                trio.lowlevel.reschedule(who, outcome.Value((slot, answer)))

    def _abandon(self, command: CommandId) -> None:
        """Wait for a command no longer; it may have been chosen, or still be."""
        waiting = self._waiting.pop(command, None)
        if waiting is not None:
            self._bytes -= waiting[1]
            self._proposer.withdraw(command)

    def _known(self, slot: int, answer: Answer | None) -> Answer:
        """Return an answer; raise `OutcomeUnknown` where there is none."""
        if answer is not None:
            return answer
        if slot != ENDED:
            raise OutcomeUnknown(
                "the log takes the command for one that was applied before: it was, unless a later "
                "life of this node had its commands applied first; its answer is no longer known"
            )
        if isinstance(self.ended, StateDiverged):
            raise OutcomeUnknown(
                f"the command may or may not be applied elsewhere: {self.ended}"
            ) from self.ended
        raise OutcomeUnknown(
            "the node was closed before the answer came: the command may or may not be "
            "applied; ask the state machine, or make the command harmless to repeat"
        ) from self.ended
