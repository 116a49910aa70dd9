"""A node's tasks that wait until its state may be read."""

from __future__ import annotations

import trio

from paxos.errors import PaxosError
from paxos.node.post import Post
from paxos.node.watching import Growth
from paxos.protocol.learner import Learner
from paxos.replicated.reading import Reading


class Readers:
    """Begins reads at the node's proposer, and wakes their tasks."""

    def __init__(self, name: str, reading: Reading, learner: Learner, post: Post) -> None:
        self._end: PaxosError | None = None
        """Why nothing can be read here any more."""
        self._name = name
        self._reading = reading
        self._learner = learner
        self._post = post
        self._tasks: dict[int, trio.lowlevel.Task] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    async def barrier(self) -> None:
        """Wait until everything that was answered before is applied here."""
        self._refuse_at_the_end()
        read = self._reading.begin()
        self._post.deliver(self._name, read)
        self._tasks[read.number] = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            del self._tasks[read.number]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        self._refuse_at_the_end()

    async def reach(self, position: int, growth: Growth) -> None:
        """Wait until every slot below ``position`` is applied here."""
        await trio.lowlevel.checkpoint()
        while self._learner.frontier < position and self._end is None:
            await growth.wait()
        self._refuse_at_the_end()

    def ready(self, last: int) -> None:
        """Wake the tasks whose reads have come so far; they wait in the order of their numbers."""
        tasks = self._tasks
        while tasks and (first := next(iter(tasks))) <= last:
            trio.lowlevel.reschedule(tasks.pop(first))

    def end(self, why: PaxosError) -> None:
        """Wake all; each is told why."""
        self._end = self._end or why
        if self._tasks:
            self.ready(max(self._tasks))

    def _refuse_at_the_end(self) -> None:
        if self._end is not None:
            raise type(self._end)(*self._end.args)
