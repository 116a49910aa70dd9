# ruff: noqa: D401 - a mutant's docstring is the rule that it breaks
"""Bugs of snapshots: what they forget, and what they take with them."""

from __future__ import annotations

from paxos.journal.memory import MemoryJournal
from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects
from paxos.protocol.records import Record, Snapshotted
from paxos.replicated.log_learner import LogLearner
from paxos.replicated.sessions import Sessions
from paxos.replicated.snapshot import Snapshot
from paxos.replicated.state import ReplicatedState
from paxos.testing.mutants.registry import mutant

recall, install, restore = Acceptor.recall, LogLearner.install, ReplicatedState.restore
compact = MemoryJournal._compact


@mutant(Acceptor, "recall", schedule=11, found_by="simulation")
def snapshot_lowers_the_promise(self: Acceptor, record: Record) -> None:
    """A snapshot says nothing of ballots: what was promised stays promised."""
    recall(self, record)
    if isinstance(record, Snapshotted):
        self.promised = Ballot.ZERO


@mutant(Acceptor, "recall", schedule=11, found_by="simulation")
def slots_of_a_snapshot_pass_for_empty(self: Acceptor, record: Record) -> None:
    """Slots below a snapshot are chosen: their votes are gone, not absent."""
    if not isinstance(record, Snapshotted):
        recall(self, record)


@mutant(Acceptor, "advance", found_by="simulation")
def jump_drops_later_votes(self: Acceptor, frontier: int) -> None:
    """Whoever jumps ahead keeps its votes in the slots from there on."""
    self.votes.clear()
    self.frontier = max(self.frontier, frontier)


@mutant(ReplicatedState, "restore", schedule=28, found_by="simulation")
def snapshot_forgets_the_sessions(self: ReplicatedState, snapshot: Snapshot) -> None:
    """What was applied once is not applied again after a snapshot has taken its place."""
    restore(self, snapshot)
    self.sessions = Sessions()


@mutant(LogLearner, "install", schedule=12, found_by="simulation")
def position_jumps_without_the_state(
    self: LogLearner, record: Snapshotted, snapshot: Snapshot
) -> Effects:
    """Position and state are one: neither is taken from a snapshot without the other."""
    machine = self.state.machine.snapshot()
    effects = install(self, record, snapshot)
    self.state.machine.restore(machine)
    return effects


@mutant(MemoryJournal, "_compact", found_by="simulation")
def snapshot_leaves_the_frontier_where_it_was(self: MemoryJournal, snapshot: Snapshotted) -> None:
    """The journal's frontier moves in the same transaction as the snapshot becomes the newest."""
    frontier, kept = self.frontier, self._memory.chosen.copy()
    first = self._memory.first
    compact(self, snapshot)
    if snapshot.position > frontier:
        self._memory.first, self._memory.chosen = first, kept
