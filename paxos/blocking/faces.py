"""The objects of the asynchronous interface, seen from threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import trio

import paxos
from paxos.blocking.calls import Face, direct, inside, iterating, waiting
from paxos.node.effects import DEFAULT_RETENTION

R = TypeVar("R")


class Term(Face[paxos.Term]):
    """One leadership of this node; comes from `Election.lead`. See `paxos.Term`.

    A thread cannot be cancelled: `check` before each act, and let what is acted on check `epoch`.
    """

    check = direct(paxos.Term.check)
    proclaim = waiting(paxos.Term.proclaim)

    @property
    def leadership(self) -> paxos.Leadership:
        """What was decided."""
        return self._inner.leadership

    @property
    def epoch(self) -> int:
        """The fencing token."""
        return self._inner.epoch

    @property
    def valid_for(self) -> float:
        """For how many seconds the term lasts unless it is renewed; 0 when it is over."""
        return self._ask(self._left)

    async def _left(self) -> float:
        left = self._inner.valid_until - trio.current_time()
        return max(0.0, left) if self._inner.loss is None else 0.0


class Election(Face[paxos.Election]):
    """A named election; comes from `Node.election`. See `paxos.Election`."""

    leader = waiting(paxos.Election.leader)
    transfer = waiting(paxos.Election.transfer)
    observe = iterating(paxos.Election.observe)
    candidates = direct(paxos.Election.candidates)

    @property
    def name(self) -> str:
        """The election's name."""
        return self._inner.name

    @property
    def view(self) -> paxos.ElectionView:
        """Who leads as far as this node has learned, or why nobody does."""
        return self._inner.view

    @contextmanager
    def lead(
        self, value: bytes = b"", priority: int = 0, *, exit_if_stalled: bool = False
    ) -> Iterator[Term]:
        """Wait until this node leads, and hold the term for the block; see `paxos.Election.lead`.

        When the term is over the block goes on, for threads cannot be cancelled, until it ends or
        `Term.check` raises. Then `LeadershipLost` is raised in any case.
        """
        manager = self._inner.lead(value, priority, exit_if_stalled=exit_if_stalled)
        # where the node is left meanwhile, `check` must tell, or the block might never end
        with inside(self._host.visit(manager, paxos.Term.give_up)) as term:
            yield Term(self._host, term)


class Effects(Face[paxos.Effects]):
    """The effects of one name; comes from `Node.effects`. See `paxos.Effects`."""

    open_intents = waiting(paxos.Effects.open_intents)

    @property
    def name(self) -> str:
        """The election's name, and theirs."""
        return self._inner.name

    def once(
        self,
        key: str,
        act: Callable[[paxos.Intent], bytes],
        reconcile: Callable[[paxos.Intent], bytes | None],
        *,
        since: int | None = None,
    ) -> bytes:
        """Cause an effect once; see `paxos.Effects.once`.

        The functions are called in a thread of the node's. They are not interrupted when the term
        is over: let the provider refuse older epochs.
        """

        async def once() -> bytes:
            return await self._inner.once(
                key, partial(_in_thread, act), partial(_in_thread, reconcile), since=since
            )

        return self._ask(once)


async def _in_thread(function: Callable[[paxos.Intent], R], intent: paxos.Intent) -> R:
    return await trio.to_thread.run_sync(function, intent)


class Node(Face[paxos.Node]):
    """One member of a cluster, in this process; comes from `open_node`. See `paxos.Node`."""

    propose = waiting(paxos.Node.propose)
    propose_many = waiting(paxos.Node.propose_many)
    query = waiting(paxos.Node.query)
    barrier = waiting(paxos.Node.barrier)
    compact = waiting(paxos.Node.compact)
    leaderships = iterating(paxos.Node.leaderships)
    decisions = iterating(paxos.Node.decisions)
    statistics = direct(paxos.Node.statistics)

    def election(self, name: str) -> Election:
        """Return the election of this name; see `paxos.Node.election`."""
        return Election(self._host, self._inner.election(name))

    def effects(self, name: str, *, retention: float = DEFAULT_RETENTION) -> Effects:
        """Return the effects of this name; see `paxos.Node.effects`."""
        return Effects(self._host, self._inner.effects(name, retention=retention))

    @property
    def name(self) -> str:
        """The member's name."""
        return self._inner.name

    @property
    def leader(self) -> paxos.Leadership | None:
        """The live leader as this node knows it; None while there is none."""
        return self._inner.leader

    @property
    def position(self) -> int:
        """How far the log is applied here."""
        return self._inner.position

    @property
    def closed(self) -> bool:
        """Whether this node has stopped taking part."""
        return self._inner.closed
