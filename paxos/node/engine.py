"""Runs the three roles, each in a task: drain, handle all, sync once, send.

A message costs no task switch: a role takes everything that has arrived, its effects are carried
out from left to right, and whatever it wants to persist shares one sync.
"""

from __future__ import annotations

from functools import partial

import trio

from paxos.journal import Journal, JournalError
from paxos.node.cluster import Cluster
from paxos.node.inbox import Inbox
from paxos.node.post import Post
from paxos.node.storage import Storage
from paxos.node.timers import Timers
from paxos.protocol.effects import Send, Supply, Wake
from paxos.protocol.events import Event
from paxos.protocol.messages import Teach
from paxos.protocol.quorums import Majority
from paxos.protocol.values import Value
from paxos.replicated.reading import ReadsReady
from paxos.replicated.roles import Roles, Turn
from paxos.replicated.routing import Role
from paxos.replicated.state import Applied, StateMachine
from paxos.replicated.values import Session

SUPPLY_BYTES = 256 << 10
"""The most bytes of values that answer one request of a laggard."""

SUPPLY_SLOTS = 8
"""How many slots answer one request from memory; each may hold a large batch."""

SUPPLY_BOUND = 64
"""How many requests of laggards wait; more are dropped, and the laggards ask again."""


class Watcher:
    """What the engine tells the node."""

    def applied(self, applied: Applied) -> None:
        """Hear that a slot took effect."""

    def turned(self) -> None:
        """Hear that the proposer has dealt with what had arrived: the leader may have changed."""

    def readable(self, number: int) -> None:
        """Hear that this node's reads up to this number may look at the state now."""

    def failed(self, error: JournalError) -> None:
        """Hear that the journal has failed: this node votes no more."""

    def happened(self, event: Event) -> None:
        """Hear what a role reports."""


class Engine:
    """The roles of one node, and the tasks that run them."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        machine: StateMachine,
        journal: Journal,
        storage: Storage,
        post: Post,
        watcher: Watcher,
    ) -> None:
        self._storage = storage
        self._post = post
        self._watcher = watcher
        self._timers = Timers()
        self.roles = Roles.begin(
            Session(name, journal.boot),
            Majority(cluster.names),
            cluster.timing,
            machine,
            journal.recover(),
            cluster.window,
            journal.doubt,
            lambda: journal.mark,
        )
        self._ask_send, self._ask_receive = trio.open_memory_channel[Supply](SUPPLY_BOUND)
        self.supplies_dropped = 0

    async def run(self) -> None:
        """Run the roles until cancelled."""
        async with trio.open_nursery() as nursery:
            for role, inbox in self._post.inboxes.items():
                self._timers.register(role, partial(inbox.put, "", None))
                nursery.start_soon(self._run_role, role, inbox)
            nursery.start_soon(self._timers.run)
            nursery.start_soon(self._supply)
            nursery.start_soon(self._post.send_soon)
            for role, turn in self.roles.start(trio.current_time()).items():
                self._carry_out(role, turn)

    def resign(self) -> None:
        """Stop leading in an orderly way, and say so."""
        self._carry_out("proposer", Turn.of(self.roles.proposer.resign()))

    async def _run_role(self, role: Role, inbox: Inbox) -> None:
        while True:
            turn = self.roles.turn(role, await inbox.drain(), trio.current_time())
            try:
                if turn.records:
                    await self._storage.persist(turn.records)
                self._carry_out(role, turn)
                if turn.later and not self.roles.failure:
                    await self._storage.persist_later(turn.later)
            except JournalError as error:
                self._fail(error)
            if role == "proposer":
                self._watcher.turned()

    def _fail(self, error: JournalError) -> None:
        if not self.roles.failure:
            self.roles.fail(str(error))
            self._watcher.failed(error)

    def _carry_out(self, role: Role, turn: Turn) -> None:
        for effect in turn.effects:
            match effect:
                case Send(targets, message):
                    self._post.send(targets, message)
                case Applied():
                    self._watcher.applied(effect)
                case Wake(earliest, latest):
                    self._timers.set(role, earliest, latest)
                case ReadsReady(number):
                    self._watcher.readable(number)
                case Supply():
                    try:
                        self._ask_send.send_nowait(effect)
                    except trio.WouldBlock:
                        self.supplies_dropped += 1
                case Event():
                    self._watcher.happened(effect)
        if role == "learner":
            self._post.soon()
        elif any(isinstance(effect, Send) for effect in turn.effects):
            self._post.flush()

    async def _supply(self) -> None:
        """Teach laggards, from memory where the slots are recent, else from the journal."""
        async for supply in self._ask_receive:
            values = self._retained(supply)
            if not values:
                try:
                    values = await self._storage.read(supply.first, supply.last, SUPPLY_BYTES)
                except JournalError:
                    continue
            if not values:
                continue
            last, frontier = values[-1][0], self.roles.learner.learner.frontier
            for slot, value in values:
                self._post.send((supply.target,), Teach(slot, value, last, frontier))
            self._post.flush()

    def _retained(self, supply: Supply) -> list[tuple[int, Value]]:
        retained = self.roles.learner.learner.retained
        if supply.first not in retained:
            return []
        slots = range(supply.first, min(supply.last + 1, supply.first + SUPPLY_SLOTS))
        return [(slot, retained[slot]) for slot in slots if slot in retained]
