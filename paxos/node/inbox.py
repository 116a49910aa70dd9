"""Where messages wait for a role: bounded for each source, drained all at once."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import outcome
import trio

from paxos.protocol.messages import Message
from paxos.replicated.messages import OwnMessage

INBOX_BOUND = 4096
"""How many messages of one source wait for one role; more are dropped and counted.

Each source has room of its own, so that a member gone wild displaces nobody else's messages.
"""


MAX_PATIENT = 8
"""How many messages that can wait are kept at most before the role is woken all the same."""


def _never(_source: str, _message: Message, *, company: bool) -> bool:
    return False


class CanWait(Protocol):
    """Tells of a message whether it need wake nobody: it is read together with the next that does.

    ``company`` says that it came along with a proposal, of which there is more to hear.
    """

    def __call__(self, source: str, message: Message, /, *, company: bool) -> bool:
        """Tell so of a message of this source."""


class Inbox:
    """A bounded queue with one reader. Putting never waits.

    Args:
        bound: How many messages it holds.
        can_wait: Which messages need wake nobody. To wake a task costs more than most do.

    """

    def __init__(self, bound: int = INBOX_BOUND, can_wait: CanWait = _never) -> None:
        self._bound = bound
        self.can_wait = can_wait
        self._items: deque[tuple[str, Message | None]] = deque()
        self._waiting: dict[str, int] = {}
        """How many of the items are each source's."""
        self._reader: trio.lowlevel.Task | None = None
        self.dropped = 0

    def put(self, source: str, message: Message | None, *, company: bool = False) -> None:
        """Add a message, or drop it when its source has no room; None is the role's alarm.

        What a node says to itself is never dropped, since it is not said twice; there is one such
        message for each inbox that the learner drains, and a few for a snapshot.
        """
        waiting = self._waiting.get(source, 0)
        if waiting >= self._bound and not (message is None or isinstance(message, OwnMessage)):
            self.dropped += 1
            return
        self._waiting[source] = waiting + 1
        self._items.append((source, message))
        if self._reader is None or (
            message is not None
            and len(self._items) < MAX_PATIENT
            and self.can_wait(source, message, company=company)
        ):
            return
        self.hurry()

    def hurry(self) -> None:
        """Wake the reader for what could wait, if it sleeps and there is any."""
        if self._reader is not None and self._items:
            reader, self._reader = self._reader, None
            trio.lowlevel.reschedule(reader, outcome.Value(None))

    async def drain(self) -> deque[tuple[str, Message | None]]:
        """Wait until something is there, and take all of it."""
        if self._items:
            await trio.lowlevel.checkpoint()
        else:
            self._reader = trio.lowlevel.current_task()

            def abort(_: object) -> trio.lowlevel.Abort:
                self._reader = None
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(abort)
        items, self._items, self._waiting = self._items, deque(), {}
        return items
