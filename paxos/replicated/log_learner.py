"""The learner of a replicated log: what is chosen takes effect here, in order, once."""

from __future__ import annotations

from attrs import define, field

from paxos.protocol.effects import Deliver, Effect, Effects, PersistLater
from paxos.protocol.learner import Learner
from paxos.protocol.messages import Accept, Accepted, Chosen, Message, Promise
from paxos.protocol.records import Record, Snapshotted
from paxos.protocol.values import NoOp
from paxos.replicated.compaction import Compaction, Growth
from paxos.replicated.divergence import COMPARED_EVERY, Comparison
from paxos.replicated.fetching import Fetching
from paxos.replicated.messages import Heard, Heartbeat, Polled, Progress, StateChecksum
from paxos.replicated.snapshot import Snapshot
from paxos.replicated.snapshot_messages import (
    FetchPieces,
    Installed,
    LoadSnapshot,
    SaveSnapshot,
    SnapshotLoaded,
    SnapshotOffered,
    SnapshotPiece,
    SnapshotSaved,
    SnapshotWanted,
    SupplyPieces,
)
from paxos.replicated.state import ReplicatedState
from paxos.replicated.values import Batch, CommandId, Leadership


@define
class LogLearner:
    """Learns the log and applies it; the node's other roles ask it how far it has come.

    It takes a snapshot now and then, so that the log before it may go; and where the slots that
    it misses are gone everywhere, it fetches the snapshot that took their place.
    """

    learner: Learner
    state: ReplicatedState
    compaction: Compaction = field(factory=Compaction)
    told: int = 0
    """The frontier that the proposer knows."""
    settled: list[CommandId] = field(factory=list)
    growth: Growth = field(factory=Growth)
    saving: bool = False
    """Whether a snapshot is on its way to the disk."""
    wanted: bool = False
    """Whether somebody asked for one."""
    fetching: Fetching | None = None
    comparison: Comparison = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Compare this node's state with that of the other members."""
        self.comparison = Comparison(self.learner.name, self.learner.quorums)

    @property
    def diverged(self) -> str:
        """How this node's state differs from that of a quorum; then it neither learns nor teaches.

        Empty as long as it does not.
        """
        return self.comparison.diverged

    def handle(self, source: str, message: Message, now: float) -> Effects:
        """Take one message; ``now`` is the time in seconds on the node's own clock."""
        if self.diverged:
            return ()
        match message:
            case Accept() | Accepted() | Chosen():  # first, since nearly all are
                return self._applied(self.learner.handle(source, message))
            case StateChecksum():
                return self.comparison.on_checksum(source, message)
            case Heartbeat() | Heard() | Polled() | Promise():
                return self._applied(self.learner.hear_frontier(source, message.frontier))
            case SnapshotOffered():
                return self.on_offered(source, message, now)
            case SnapshotPiece():
                return self.on_piece(message, now)
            case FetchPieces():
                return (SupplyPieces(source, message),)
            case SnapshotLoaded():
                return self.on_loaded(message)
            case SnapshotSaved(snapshot):
                self.saving = False
                self.growth.snapshot_bytes = snapshot.length
                return ()
            case SnapshotWanted():
                self.wanted = True
                return ()
        return self._applied(self.learner.handle(source, message))

    def can_wait(self, source: str, message: Message) -> bool:
        """Tell whether nothing would come of a message as long as no other one follows it.

        So it is with the value of a ballot until it is chosen, with a vote in a slot that is
        learned, and with this node's own vote where it is the first of several that are needed.
        """
        learner = self.learner
        match message:
            case Accept(slot=slot):
                return slot >= learner.frontier and slot not in learner.chosen
            case Accepted(slot=slot):
                if slot < learner.frontier:
                    return True
                alone = learner.quorums.is_accept_quorum(slot, {source})
                return source == learner.name and slot not in learner.tallies and not alone
        return False

    def wake(self, now: float) -> Effects:
        """Ask for what is missing: slots, or pieces of the snapshot that took their place."""
        if self.diverged:
            return ()
        fetching = self._live_fetching()
        if fetching is None:
            return self._applied(self.learner.wake())
        if fetching.complete:
            return ()  # the journal is looking at it
        effects = fetching.wake(now)
        if fetching.stalled(now):  # whoever is asked now may offer the same snapshot, or another
            effects = (*self._applied(self.learner.wake()), *effects)
        return effects

    def recall(self, record: Record) -> Effects:
        """Take one record of the journal."""
        return self._applied(self.learner.recall(record))

    def progress(self) -> Progress | None:
        """Return what the proposer does not know yet, once; None where that is nothing."""
        if self.told == self.learner.frontier:
            return None
        self.told = self.learner.frontier
        settled, self.settled = tuple(self.settled), []
        return Progress(self.told, self.state.leadership, settled)

    def flush(self) -> Effects:
        """See whether there is a checksum to tell, and whether it is time for a snapshot.

        Called once for each drained inbox.
        """
        effects = self.comparison.tell()
        due = self.wanted or self.growth.reaches(self.compaction)
        if due and not self.diverged and not self.saving and self.fetching is None:
            self.saving, self.wanted = True, False
            self.growth.restart()
            effects += (SaveSnapshot(self.state.snapshot()),)
        return effects

    # Snapshots from elsewhere.

    def on_offered(self, source: str, offered: SnapshotOffered, now: float) -> Effects:
        """Fetch what is offered, unless another snapshot is on its way.

        The node that sends one may itself have let it go, and then offers a newer one.
        """
        if offered.position <= self.learner.frontier:
            return ()
        snapshot = Snapshotted(offered.position, offered.length, offered.digest)
        fetching = self._live_fetching()
        if fetching is not None and not (source == fetching.source or fetching.stalled(now)):
            return ()
        if fetching is not None and fetching.snapshot == snapshot:
            return () if source == fetching.source else fetching.change_source(source, now)
        if fetching is not None and fetching.complete:
            return ()
        self.fetching = Fetching(snapshot, source, heard=now)
        return self.fetching.wake(now)

    def on_piece(self, piece: SnapshotPiece, now: float) -> Effects:
        """Take a piece of the snapshot that is on its way, and look at the whole with the last."""
        fetching = self._live_fetching()
        if fetching is None or piece.digest != fetching.snapshot.digest or fetching.complete:
            return ()
        effects = fetching.on_piece(piece, now)
        return (*effects, LoadSnapshot(fetching.snapshot)) if fetching.complete else effects

    def on_loaded(self, loaded: SnapshotLoaded) -> Effects:
        """Take over the state of a snapshot that is whole, if it is still ahead."""
        self.fetching = None
        if loaded.snapshot is None or loaded.fetched.position <= self.learner.frontier:
            return self._applied(self.learner.wake())
        return (PersistLater(loaded.fetched), *self.install(loaded.fetched, loaded.snapshot))

    def install(self, record: Snapshotted, snapshot: Snapshot) -> Effects:
        """Let position and state jump together: alive, and when a life begins."""
        assert record.position == snapshot.position, "a snapshot is of the position it is kept for"
        self.state.restore(snapshot)
        self.growth = Growth(snapshot_bytes=record.length)
        return (Installed(record.position), *self.recall(record))

    def _live_fetching(self) -> Fetching | None:
        """Return the snapshot that is on its way, unless the log has come further meanwhile."""
        fetching = self.fetching
        if fetching is not None and fetching.snapshot.position <= self.learner.frontier:
            self.fetching = fetching = None
        return fetching

    # The log.

    def _applied(self, effects: Effects) -> Effects:
        if not effects:
            return ()
        done: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Deliver):
                if self.diverged:
                    break
                done += self._apply(effect)
            else:
                done.append(effect)
        return tuple(done)

    def _apply(self, deliver: Deliver) -> Effects:
        value = deliver.value
        assert isinstance(value, Batch | Leadership | NoOp)
        assert deliver.slot == self.state.position, "every slot takes effect once, in order"
        applied = self.state.apply(deliver.slot, value, self.learner.name)
        self.settled += [command for command, _, _ in applied.results]
        self.growth.add(1, applied.log_bytes)
        if self.state.position % COMPARED_EVERY:
            return (applied,)
        return (applied, *self.comparison.passed(self.state.position, self.state.checksum))
