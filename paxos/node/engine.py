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
        self._post.inboxes["learner"].can_wait = self.roles.learner.can_wait
        async with trio.open_nursery() as nursery:
            for role, inbox in self._post.inboxes.items():
                self.timers.register(role, partial(inbox.put, "", None))
                nursery.start_soon(self._run_role, role, inbox)
            nursery.start_soon(self.timers.run)
            nursery.start_soon(self.teacher.run)
            nursery.start_soon(self.keeper.run)
            for role, turn in self.roles.start(trio.current_time()).items():
                self._carry_out(role, turn)

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
