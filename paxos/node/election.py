"""A named election, as an application sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from paxos.errors import ElectionRefused
from paxos.node.board import Observation
from paxos.node.term import Term
from paxos.replicated.decrees import Void
from paxos.replicated.election_decrees import MAX_PRIORITY, ElectionView, HandOver
from paxos.replicated.elections import Candidate
from paxos.replicated.standing import Loss
from paxos.replicated.values import Leadership

if TYPE_CHECKING:
    from paxos.node.election_service import ElectionService


class Election:
    """One election of a cluster. Comes from `Node.election`; any member may stand in it."""

    def __init__(self, service: ElectionService, name: str) -> None:
        self.name = name
        self._service = service

    @asynccontextmanager
    async def lead(
        self, value: bytes = b"", priority: int = 0, *, exit_if_stalled: bool = False
    ) -> AsyncIterator[Term]:
        """Wait until this node leads, and run the block's body as its term.

        Of those who wait, the highest priority is next, and then who came first. The body is
        cancelled when the term is over; when it has ended, in whatever way, the term is resigned.
        It must end soon after it is cancelled: what it does then is not protected. Waiting can be
        cancelled, too, and the node then leaves the queue.

        Args:
            value: What observers see while this node leads, such as an address; at most 4,096
                bytes.
            priority: Larger ones lead first.
            exit_if_stalled: End the whole process (status 70, without any cleaning up) when the
                lease ends while the body keeps Trio's loop from running, so that it cannot be
                cancelled.

        Raises:
            ElectionRefused: This node stands in this election already, or it cannot be entered.
            LeadershipLost: The term was over before the body ended, also because the node is being
                closed: it resigns then when the body has stopped. Campaign again, in a loop.
            NodeClosed: The node was closed.

        """
        if not isinstance(priority, int) or not -MAX_PRIORITY < priority < MAX_PRIORITY:
            raise ElectionRefused(f"a priority is a whole number of 32 bits, not {priority!r}")
        self._service.check_value(value)
        part = await self._service.enter(self.name, priority, bytes(value))
        try:
            term = await part.won(exit_if_stalled=exit_if_stalled)
            with term.scope:
                yield term
            if term.loss is not None and not term.resigned:
                raise term.error()
        finally:
            orderly = part.term is not None and part.term.loss in (None, Loss.RESIGNED)
            self._service.leave(part)  # the body has stopped; the term must not end before
            if orderly:
                with trio.move_on_after(self._service.timing.lease):
                    await part.out.wait()

    async def leader(self) -> Leadership | None:
        """Return who leads now, or None: no older answer than one that anybody got before.

        Raises:
            NodeClosed: The node was closed meanwhile.

        """
        await self._service.barrier()
        return self.view.leadership

    @property
    def view(self) -> ElectionView:
        """Who leads as far as this node has learned, with its value, or why nobody does."""
        return self._service.elections.view(self.name)

    def observe(self) -> Observation:
        """Yield `view`, and then every change of it in order; it never ends.

        Who falls behind by more than a thousand changes misses some, but never the last.
        """
        return Observation(self._service.board(self.name))

    def candidates(self) -> tuple[Candidate, ...]:
        """Return who waits to lead as far as this node has learned, the next one first."""
        return self._service.elections.candidates(self.name)

    async def transfer(self, to: str) -> Leadership:
        """Have a certain candidate lead next, and now; return the leadership that came of it.

        The leader's body is cancelled, and its term resigned when it has ended. Any member may
        ask. Cancelled, it leaves open whether the hand-over goes on.

        Raises:
            ElectionRefused: Nobody leads, or ``to`` is no candidate.
            NodeClosed: The node was closed meanwhile.

        """
        current = await self.leader()
        if current is None:
            raise ElectionRefused(f"nobody leads {self.name}: there is nothing to hand over")
        if current.leader == to:
            return current
        views = self.observe()
        ruling = await self._service.decree(HandOver(self.name, current.epoch, to))
        if isinstance(ruling, Void):
            raise ElectionRefused(ruling.why)
        while True:
            leadership = (await anext(views)).leadership
            if leadership is not None and leadership.epoch > current.epoch:
                return leadership
