"""Runs the three roles, each in a task: drain, handle all, sync once, send.

A message costs no task switch: a role takes everything that has arrived, its effects are carried
out from left to right, and whatever it wants to persist shares one sync.
"""

from __future__ import annotations

from functools import partial

import trio
from attrs import frozen

from paxos.journal import Journal, JournalError
from paxos.node.clock import Clock
from paxos.node.cluster import Cluster
from paxos.node.inbox import Inbox
from paxos.node.post import Post
from paxos.node.snapshots import SnapshotKeeper, load_snapshot
from paxos.node.storage import Storage
from paxos.node.teaching import Teacher
from paxos.node.timers import Timers
from paxos.protocol.effects import Send, Supply, Wake
from paxos.protocol.events import Event
from paxos.protocol.messages import Message
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Snapshotted
from paxos.replicated.compaction import Compaction
from paxos.replicated.reading import ReadsReady
from paxos.replicated.roles import Roles, Turn
from paxos.replicated.routing import Role
from paxos.replicated.snapshot_messages import (
    Installed,
    LoadSnapshot,
    SaveSnapshot,
    SupplyPieces,
)
from paxos.replicated.state import Applied, StateMachine
from paxos.replicated.values import Session

HELD = "held"
"""The alarm for messages that wait for company."""

COURTESY = 2
"""For so many turns of the loop a node's acceptor waits before it answers the node's own proposer.

In the first the loop hears what other acceptors have answered meanwhile, in the second the learner
learns from it. What they have chosen needs no further vote; and where the loop itself writes the
journal, nobody waits for that write.
"""


@frozen
class Equipment:
    """What one node works with."""

    cluster: Cluster
    name: str
    machine: StateMachine
    journal: Journal
    storage: Storage
    post: Post
    compaction: Compaction


class Watcher:
    """What the engine tells the node."""

    def applied(self, applied: Applied) -> None:
        """Hear that a slot took effect."""

    def installed(self, installed: Installed) -> None:
        """Hear that the state is now that of a snapshot, further on."""

    def saved(self, snapshot: Snapshotted) -> None:
        """Hear that a snapshot of this node's state is on the disk."""

    def turned(self) -> None:
        """Hear that the proposer has dealt with what had arrived: the leader may have changed."""

    def readable(self, number: int) -> None:
        """Hear that this node's reads up to this number may look at the state now."""

    def waits(self) -> bool:
        """Tell whether a task of this node waits for the log to grow."""
        return False

    def failed(self, error: JournalError) -> None:
        """Hear that the journal has failed: this node votes no more."""

    def happened(self, event: Event) -> None:
        """Hear what a role reports."""


class Engine:
    """The roles of one node, and the tasks that run them."""

    def __init__(self, equipment: Equipment, watcher: Watcher) -> None:
        cluster, name, journal = equipment.cluster, equipment.name, equipment.journal
        self._storage = storage = equipment.storage
        self._post = post = equipment.post
        self._watcher = watcher
        self._name = name
        self._courtesy = COURTESY if len(cluster.names) > 1 else 0
        self._withheld = False
        """Whether the learner was not woken for what `Roles.is_old_news`."""
        self.timers = Timers()
        self.timers.register(HELD, self._post.release)
        self._post.alarm = partial(self.timers.set, HELD)
        self.roles = Roles.begin(
            Session(name, journal.boot),
            Majority(cluster.names),
            cluster.timing,
            equipment.machine,
            journal.recover(),
            load=partial(load_snapshot, journal),
            window=cluster.window,
            doubt=journal.doubt,
            journal=lambda: journal.mark,
            compaction=equipment.compaction,
            clock=Clock().now,
        )
        self.teacher = Teacher(journal, storage, post, self.roles.learner.learner)
        self.keeper = SnapshotKeeper(name, storage, post, watcher.saved, self._fail)

    async def run(self) -> None:
        """Run the roles until cancelled."""
        self._post.inboxes["learner"].can_wait = self._learner_can_wait
        async with trio.open_nursery() as nursery:
            for role, inbox in self._post.inboxes.items():
                self.timers.register(role, partial(inbox.put, "", None))
                nursery.start_soon(self._run_role, role, inbox)
            nursery.start_soon(self.timers.run)
            nursery.start_soon(self.teacher.run)
            nursery.start_soon(self.keeper.run)
            for role, turn in self.roles.start(trio.current_time()).items():
                self._carry_out(role, turn)

    def _learner_can_wait(self, source: str, message: Message, *, company: bool) -> bool:
        """Tell whether the learner need not hear a message before the next one."""
        if self.roles.learner.can_wait(source, message):
            return True
        waits = not company or self._watcher.waits()
        self._withheld = not waits and self.roles.is_old_news(message)
        return self._withheld

    def hurry(self) -> None:
        """Let the learner hear what it was not woken for, since somebody waits for it by now."""
        if self._withheld:
            self._withheld = False
            self._post.inboxes["learner"].hurry()

    def snapshot_statistics(self) -> dict[str, int]:
        """Return counters of snapshots, and how far the one is that is being fetched."""
        learner, keeper = self.roles.learner, self.keeper
        fetching = learner.fetching
        return {
            "snapshots_saved": keeper.saved,
            "snapshots_installed": keeper.loaded,
            "snapshots_refused": keeper.refused,
            "snapshot_bytes": learner.growth.snapshot_bytes,
            "pieces_sent": self.teacher.pieces_sent,
            "fetched_bytes": 0 if fetching is None else fetching.arrived_bytes,
            "fetching_bytes": 0 if fetching is None else fetching.snapshot.length,
        }

    def resign(self) -> None:
        """Stop leading in an orderly way, and say so."""
        self._carry_out("proposer", Turn.of(self.roles.proposer.resign()))

    async def _run_role(self, role: Role, inbox: Inbox) -> None:
        while True:
            heard = await inbox.drain()
            if role == "acceptor" and heard[0][0] == self._name:
                for _ in range(self._courtesy):
                    await trio.lowlevel.checkpoint()
            turn = self.roles.turn(role, heard, trio.current_time())
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
                if self._withheld and not self.roles.is_patient:
                    self.hurry()

    def _fail(self, error: JournalError) -> None:
        if not self.roles.failure:
            self.roles.fail(str(error))
            self._watcher.failed(error)

    def _carry_out(self, role: Role, turn: Turn) -> None:
        urgent = False
        for effect in turn.effects:
            match effect:
                case Send(targets, message):
                    self._post.send(targets, message)
                case Applied():
                    self._watcher.applied(effect)
                    urgent = urgent or self.roles.is_awaited(effect)
                case Wake(earliest, latest):
                    self.timers.set(role, earliest, latest)
                case ReadsReady(number):
                    self._watcher.readable(number)
                case Supply() | SupplyPieces():
                    self.teacher.ask(effect)
                case SaveSnapshot() | LoadSnapshot():
                    self.keeper.ask(effect)
                case Installed():
                    self._watcher.installed(effect)
                case Event():
                    self._watcher.happened(effect)
        self._post.dispatch(urgent=urgent)
