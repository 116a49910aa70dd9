"""A node's tasks that wait until its state may be read."""

from __future__ import annotations

import trio

from paxos.errors import PaxosError
from paxos.node.post import Post
from paxos.node.watching import Growth
from paxos.protocol.learner import Learner
from paxos.replicated.log_proposer import LogProposer


class Readers:
    """Begins reads at the node's proposer, and wakes their tasks."""

    def __init__(self, proposer: LogProposer, learner: Learner, post: Post) -> None:
        self._end: PaxosError | None = None
        """Why nothing can be read here any more."""
        self.leased = 0
        """How many reads asked nobody, because a lease held."""
        self._proposer = proposer
        self._learner = learner
        self._post = post
        self._tasks: dict[int, trio.lowlevel.Task] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    async def barrier(self) -> None:
        """Wait until everything that was answered before is applied here."""
        self._refuse_at_the_end()
        read = self._proposer.reading.begin()
        self._post.deliver(self._proposer.name, read)
        await self._wait(read.number)

    async def leased_barrier(self) -> None:
        """Do the same without asking anybody, if a lease holds."""
        await trio.lowlevel.checkpoint()
        point = self._proposer.leased_point()
        if point is None:
            await self.barrier()
            return
        self._refuse_at_the_end()
        self.leased += 1
        if self._learner.frontier < point:
            await self._wait(self._proposer.reading.begin_at(point, trio.current_time()))

    async def _wait(self, number: int) -> None:
        self._tasks[number] = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            del self._tasks[number]
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
