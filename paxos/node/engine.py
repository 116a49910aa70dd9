"""Runs the three roles, each in a task: drain, handle all, sync once, send.

A message costs no task switch: a role takes everything that has arrived, its effects are carried
out from left to right, and whatever it wants to persist shares one sync.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio
from attrs import define

from paxos.journal import Journal, JournalError
from paxos.node.cluster import Cluster
from paxos.node.inbox import Inbox
from paxos.node.post import Post
from paxos.node.storage import Storage
from paxos.node.timers import Timers
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.effects import Effect, Effects, Persist, PersistLater, Send, Supply, Wake
from paxos.protocol.events import Event
from paxos.protocol.learner import Learner
from paxos.protocol.messages import Message, Teach
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Record
from paxos.protocol.values import Value
from paxos.replicated.candidacy import Candidacy
from paxos.replicated.log_learner import LogLearner
from paxos.replicated.log_proposer import LogProposer
from paxos.replicated.messages import Advanced
from paxos.replicated.routing import Role
from paxos.replicated.state import Applied, ReplicatedState, StateMachine
from paxos.replicated.values import Session

SUPPLY_BYTES = 256 << 10
"""The most bytes of values that answer one request of a laggard."""

SUPPLY_SLOTS = 8
"""How many slots answer one request from memory; each may hold a large batch."""

SUPPLY_BOUND = 64
"""How many requests of laggards wait; more are dropped, and the laggards ask again."""

VOTING_HORIZON = 1024
"""How many slots above its frontier an acceptor votes in; behind that it learns first."""


class Watcher:
    """What the engine tells the node."""

    def applied(self, applied: Applied) -> None:
        """Hear that a slot took effect."""

    def turned(self) -> None:
        """Hear that the proposer has dealt with what had arrived: the leader may have changed."""

    def failed(self, error: JournalError) -> None:
        """Hear that the journal has failed: this node votes no more."""

    def happened(self, event: Event) -> None:
        """Hear what a role reports."""


@define
class Turn:
    """What one drained inbox led to, in order."""

    records: list[Record]
    later: list[Record]
    effects: list[Effect]

    @classmethod
    def of(cls, effects: Iterable[Effect]) -> Turn:
        """Sort effects: all records first, which makes every one durable before what follows it."""
        turn = cls([], [], [])
        for effect in effects:
            match effect:
                case Persist(record):
                    turn.records.append(record)
                case PersistLater(record):
                    turn.later.append(record)
                case _:
                    turn.effects.append(effect)
        return turn


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
        quorums = Majority(cluster.names)
        self._storage = storage
        self._post = post
        self._watcher = watcher
        self._timers = Timers()
        self.acceptor = Acceptor(horizon=VOTING_HORIZON)
        proposer = Proposer(name, quorums, window=cluster.window)
        self.proposer = LogProposer(Candidacy(proposer, cluster.timing))
        self.learner = LogLearner(
            Learner(name, quorums), ReplicatedState(machine), Session(name, journal.boot)
        )
        self.failure: JournalError | None = None
        self._ask_send, self._ask_receive = trio.open_memory_channel[Supply](SUPPLY_BOUND)
        self.supplies_dropped = 0
        self._recover(journal)

    def _recover(self, journal: Journal) -> None:
        """Let every role hear what it must not have forgotten."""
        for record in journal.recover():
            self.acceptor.recall(record)
            self.proposer.recall(record)
            self.learner.recall(record)

    async def run(self) -> None:
        """Run the roles until cancelled."""
        async with trio.open_nursery() as nursery:
            for role, handle in self._handlers().items():
                inbox = self._post.inboxes[role]
                self._timers.register(role, self._alarm(inbox))
                nursery.start_soon(self._run_role, role, inbox, *handle)
            nursery.start_soon(self._timers.run)
            nursery.start_soon(self._supply)
            nursery.start_soon(self._post.send_soon)
            self._carry_out("learner", Turn.of(self.learner.flush()))
            self._carry_out("proposer", Turn.of(self.proposer.start()))

    def resign(self) -> None:
        """Stop leading in an orderly way, and say so."""
        self._carry_out("proposer", Turn.of(self.proposer.resign()))

    def _alarm(self, inbox: Inbox) -> Callable[[], None]:
        return lambda: inbox.put("", None)

    def _handlers(
        self,
    ) -> dict[Role, tuple[Callable[[str, Message | None], Effects], Callable[[], Effects]]]:
        return {
            "acceptor": (self._accept, lambda: ()),
            "proposer": (self._propose, self.proposer.flush),
            "learner": (self._learn, self.learner.flush),
        }

    def _accept(self, source: str, message: Message | None) -> Effects:
        if isinstance(message, Advanced):
            self.acceptor.advance(message.frontier)
        elif message is not None and self.failure is None:
            return self.acceptor.handle(source, message)
        return ()

    def _propose(self, source: str, message: Message | None) -> Effects:
        if message is None:
            return self.proposer.wake(trio.current_time())
        return self.proposer.handle(source, message, trio.current_time())

    def _learn(self, source: str, message: Message | None) -> Effects:
        return self.learner.wake() if message is None else self.learner.handle(source, message)

    async def _run_role(
        self,
        role: Role,
        inbox: Inbox,
        handle: Callable[[str, Message | None], Effects],
        flush: Callable[[], Effects],
    ) -> None:
        while True:
            effects: list[Effect] = []
            for source, message in await inbox.drain():
                effects += handle(source, message)
            effects += flush()
            turn = Turn.of(effects)
            try:
                if turn.records:
                    await self._storage.persist(turn.records)
                self._carry_out(role, turn)
                if turn.later and self.failure is None:
                    await self._storage.persist_later(turn.later)
            except JournalError as error:
                self._fail(role, turn, error)
            if role == "proposer":
                self._watcher.turned()

    def _fail(self, role: Role, turn: Turn, error: JournalError) -> None:
        """Take a failed sync as final: nothing that depended on it is said, nothing tried again."""
        if self.failure is None:
            self.failure = error
            self._watcher.failed(error)
        if role == "proposer":
            self.proposer.candidacy.disable(str(error))

    def _carry_out(self, role: Role, turn: Turn) -> None:
        for effect in turn.effects:
            match effect:
                case Send(targets, message):
                    self._post.send(targets, message)
                case Applied():
                    self._watcher.applied(effect)
                case Wake(earliest, latest):
                    self._timers.set(role, earliest, latest)
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
            last, frontier = values[-1][0], self.learner.learner.frontier
            for slot, value in values:
                self._post.send((supply.target,), Teach(slot, value, last, frontier))
            self._post.flush()

    def _retained(self, supply: Supply) -> list[tuple[int, Value]]:
        retained = self.learner.learner.retained
        if supply.first not in retained:
            return []
        slots = range(supply.first, min(supply.last + 1, supply.first + SUPPLY_SLOTS))
        return [(slot, retained[slot]) for slot in slots if slot in retained]
