"""The node that an application embeds."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial

import trio

from paxos.errors import CommandFailed, CommandTooLarge, NodeClosed, PaxosError, StateDiverged
from paxos.journal import Journal, JournalError
from paxos.node.cluster import Cluster
from paxos.node.desk import Desk
from paxos.node.effects import DEFAULT_RETENTION, Effects, Turns
from paxos.node.election import Election
from paxos.node.election_service import ElectionService
from paxos.node.engine import Engine, Watcher
from paxos.node.instrument import Instrument
from paxos.node.key_file import watch_keys
from paxos.node.nursery import open_nursery
from paxos.node.opening import is_quick, open_journal
from paxos.node.post import Post
from paxos.node.proposals import Proposals
from paxos.node.readers import Readers
from paxos.node.storage import Storage, open_storage
from paxos.node.watching import Decisions, Growth, Leaderships, View
from paxos.protocol.events import Event
from paxos.protocol.records import Snapshotted
from paxos.replicated.admission import JournalDoubted
from paxos.replicated.candidacy_states import Serving
from paxos.replicated.compaction import Compaction
from paxos.replicated.decrees import Decree, Ruling
from paxos.replicated.events import StateDiverged as Diverging
from paxos.replicated.messages import Adopted, Status
from paxos.replicated.snapshot_messages import Installed, SnapshotWanted
from paxos.replicated.state import Applied, QueryableStateMachine, StateMachine, in_words
from paxos.replicated.values import (
    MAX_COMMAND_BYTES,
    Command,
    Failure,
    Leadership,
    Result,
    Session,
)
from paxos.transport import UnreliableTransport, open_udp
from paxos.wire import Wire


class Node(Watcher):
    """One member of a cluster, in this process. Comes from `open_node`."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        machine: StateMachine,
        journal: Journal,
        storage: Storage,
        post: Post,
        instruments: tuple[Instrument, ...],
        compaction: Compaction,
    ) -> None:
        self.name = name
        self._journal = journal
        self._post = post
        self._storage = storage
        self._instruments = instruments
        self._closed = False
        self._running = trio.CancelScope(shield=True)
        self._view = View(None)
        self._growth = Growth()
        self._saved = Growth()
        self._saved_position = -1
        self._engine = Engine(cluster, name, machine, journal, storage, post, self, compaction)
        roles, timers = self._engine.roles, self._engine.timers
        self._desk = Desk(self, post)
        self._proposals = Proposals(name, roles.proposer, post, roles.next_id)
        self._readers = Readers(roles.proposer, roles.learner.learner, post)
        self._elections = ElectionService(self, roles, timers, cluster.timing)
        self._turns = Turns()

    # For the application.

    @property
    def leader(self) -> Leadership | None:
        """The live leader as this node knows it; None while there is none."""
        return self._view.leadership

    async def propose(self, command: bytes, *, wait: bool = True) -> bytes:
        """Have a command applied, once, on every node; return the state machine's answer.

        It works on any node, and waits for as long as there is no leader: use a Trio timeout to
        wait less. So many may be under way from one node, in number and bytes; more wait for
        room, in the order in which they came, or raise `Overloaded` when told not to ``wait``.
        Cancelled, it leaves open whether the command is applied.

        Raises:
            CommandTooLarge: The command has more than `MAX_COMMAND_BYTES`; it was not proposed.
            CommandFailed: The state machine raised an error for it.
            Overloaded: There is no room, and it should not wait; it was not proposed.
            OutcomeUnknown: The node was closed meanwhile, or its state diverged.
            StateDiverged: This node's state is not that of the others; nothing was proposed.

        """
        _, result = await self._proposals.decide(checked(command), wait=wait)
        if isinstance(result, Failure):
            raise CommandFailed(result.error)
        assert isinstance(result, bytes)
        return result

    async def propose_many(self, commands: Iterable[bytes]) -> list[bytes | CommandFailed]:
        """Have each of many commands applied, once; return the answers in the same order.

        It costs a fraction of as many calls of `propose`, for the task is woken once. In which
        order they are applied is open: what must come later is proposed later. Where the state
        machine raised an error, it is in the place of the answer. Cancelled, or when the node is
        closed, it leaves open which of the commands are applied.

        Raises:
            CommandTooLarge: One of them is; none was proposed.
            OutcomeUnknown: The node was closed meanwhile.

        """
        proposals = list(map(checked, commands))
        answers: list[bytes | CommandFailed] = []
        for answer in await self._proposals.decide_all(proposals):
            assert isinstance(answer, bytes | Failure)
            answers.append(CommandFailed(answer.error) if isinstance(answer, Failure) else answer)
        return answers

    async def propose_as(
        self, session: Session, number: int, data: bytes, *, wait: bool = True
    ) -> tuple[int, Result]:
        """Have a session's command applied once; return the slot that decided it, and its result.

        Raises what `propose` does, but for `CommandFailed`, which the result says.
        """
        slot, result = await self._proposals.decide(checked(data), (session, number), wait=wait)
        assert isinstance(result, bytes | Failure)
        return slot, result

    async def decree(self, decree: Decree) -> Ruling:
        """Have a decree applied, once; return what became of it. Raises `OutcomeUnknown`."""
        _, ruling = await self._proposals.decide(decree)
        assert isinstance(ruling, Ruling)
        return ruling

    async def barrier(self, *, at_least: int | None = None, lease: bool = False) -> None:
        """Wait until this node's own state machine may be read.

        It then has everything that was answered anywhere, through any node, before this was
        called: so what is read next, without another await, is linearizable. One round of the
        leader serves all that wait, and writes nothing. It works on any node and waits for as
        long as there is no leader; it can be cancelled.

        With ``at_least`` it asks nobody and waits for less: until every slot below that
        `position` is applied here. Whoever carries the position of one node to another never sees
        the state go back.

        With ``lease`` the leader sends no message while it has a lease; any other node, a leader
        that was paused or deposed, and a cluster without `Timing.lease_reads` do the ordinary
        round. It is as good as that only while the clocks of all members go at true rates but for
        `Timing.drift`, and that of the leader also while its machine is suspended (Linux tells).
        Where that cannot be trusted, ask for no lease.

        Raises:
            NodeClosed: The node was closed meanwhile.
            StateDiverged: This node's state is not that of the others.

        """
        if at_least is not None:
            await self._readers.reach(at_least, self._growth)
        elif lease:
            await self._readers.leased_barrier()
        else:
            await self._readers.barrier()

    async def query(self, question: bytes) -> bytes:
        """Have this node's own state machine answer a question, after a `barrier`.

        For machines with a method ``query(question) -> bytes``, which must change nothing.

        Raises:
            CommandFailed: The state machine raised an error for it, or has no such method.
            NodeClosed: The node was closed meanwhile.

        """
        await self.barrier()
        machine = self._engine.roles.learner.state.machine
        if not isinstance(machine, QueryableStateMachine):
            raise CommandFailed(f"{type(machine).__name__} has no method query: it answers none")
        try:
            answer: object = machine.query(question)
        except Exception as error:
            raise CommandFailed(in_words(error)) from error
        if not isinstance(answer, bytes):
            raise CommandFailed(f"TypeError: query() returned {type(answer).__name__}, not bytes")
        return answer

    @property
    def position(self) -> int:
        """How far the log is applied here: every slot below, and none from there on.

        After `propose` has returned on this node it is above the command's slot.
        """
        return self._engine.roles.learner.learner.frontier

    def leaderships(self) -> AsyncIterator[Leadership | None]:
        """Yield what `leader` is, and then every change of it, `None` included."""
        return Leaderships(self._view)

    def decisions(self, first: int = 0) -> AsyncIterator[tuple[int, bytes]]:
        """Yield slot and command of everything that was applied, from slot ``first`` on, in order.

        It reads the journal from the snapshot before ``first``, since only that tells which
        commands are repetitions; it never ends.

        Raises:
            LogCompacted: The log no longer goes back so far; also later, when it was compacted
                faster than it was read here.
            JournalError: The journal has failed, now or earlier, or cannot be read.

        """
        learner = self._engine.roles.learner.learner
        return Decisions(self._journal, self._storage, learner, self._growth, first)

    async def compact(self) -> int:
        """Take a snapshot now, and return its position when it is on the disk.

        The log before the snapshot before it is then let go. A node does this by itself as the
        log grows, see `Compaction`; it is of use before a backup, or where space is short.

        Raises:
            JournalError: The journal has failed, now or earlier.

        """
        learner = self._engine.roles.learner
        wanted, self._saved_position = learner.learner.frontier, -1
        self._post.deliver(self.name, SnapshotWanted())
        while self._saved_position < wanted:
            if self._engine.roles.failure:
                raise JournalError(self._engine.roles.failure)
            await self._saved.wait()
        return self._saved_position

    def statistics(self) -> dict[str, int]:
        """Return counters of what was done and dropped, by name."""
        learner, proposer = self._engine.roles.learner.learner, self._engine.roles.proposer
        counts = self._post.statistics() | self._proposals.statistics() | self._desk.statistics()
        return counts | {
            "frontier": learner.frontier,
            "lag": learner.target - learner.frontier,
            "readers": len(self._readers),
            "leased_reads": self._readers.leased,
            "pending": len(proposer.pending),
            "pending_dropped": proposer.pending.dropped,
            "proposals_dropped": proposer.dropped,
            "implausible": self._engine.roles.implausible,
            "supplies_dropped": self._engine.teacher.dropped,
            "supplies_refused": self._engine.teacher.refused,
            "first": self._journal.first,
            **self._engine.snapshot_statistics(),
            "transactions": self._storage.statistics().transactions,
            "records": self._storage.statistics().records,
        }

    def status(self, number: int) -> Status:
        """Return what this node tells a client about itself."""
        proposer, learner = self._engine.roles.proposer, self._engine.roles.learner
        candidacy, roles = proposer.candidacy, self._engine.roles
        silenced = roles.failure or roles.admission.why
        serving = isinstance(candidacy.state, Serving)
        role = "leader" if proposer.serving else "follower" if candidacy.why == "" else "candidate"
        why = silenced or candidacy.why
        if not why and self.leader is None:
            why = "a new leader is catching up" if serving else "waiting for the log"
        return Status(
            number=number,
            node=self.name,
            role=role,
            leadership=self.leader,
            last_leadership=learner.state.leadership,
            ballot=max(candidacy.proposer.highest, self._engine.roles.acceptor.promised),
            frontier=learner.learner.frontier,
            target=learner.learner.target,
            voting=not silenced,
            why=why[:1000],
            first=self._journal.first,
            fetched=0 if learner.fetching is None else learner.fetching.arrived_bytes,
            fetching=0 if learner.fetching is None else learner.fetching.snapshot.length,
        )

    def readmit(self, without: Iterable[str]) -> None:
        """Let a node that has forgotten something vote again without the help of some others.

        Whoever calls this vouches for it that those others never take part again with what they
        remember. Otherwise two values could be chosen for one slot.
        """
        self._engine.roles.admission.excuse(without)

    @property
    def closed(self) -> bool:
        """Whether this node has stopped taking part."""
        return self._closed

    def election(self, name: str) -> Election:
        """Return the election of this name, in which any member may stand.

        Raises:
            ElectionRefused: There can be no such name.

        """
        return self._elections.election(name)

    def effects(self, name: str, *, retention: float = DEFAULT_RETENTION) -> Effects:
        """Return the effects that the leader of the election of this name causes, each once.

        Args:
            name: The election's.
            retention: For how long outcomes are kept, in seconds by the clocks of the leaders.

        Raises:
            ElectionRefused: There can be no such name.
            ValueError: There can be no such retention.

        """
        self._elections.election(name)
        return Effects(self._elections, name, retention, self._turns)

    # For the engine, and for the services of the node.

    def send(self, command: Command) -> None:
        """Send a command of this node on its way, again and again until it is applied."""
        if self._engine.roles.proposer.adopt(command):
            self._post.deliver(self.name, Adopted())

    def applied(self, applied: Applied) -> None:
        """Wake the tasks whose commands took effect."""
        self._proposals.applied(applied)
        self._elections.applied(applied)
        self._growth.tell()
        if isinstance(applied.value, Leadership):
            self.turned()

    def readable(self, number: int) -> None:
        """Wake the tasks whose reads have come so far."""
        self._readers.ready(number)

    def installed(self, installed: Installed) -> None:
        """Note that the state has jumped to that of a snapshot."""
        self._growth.tell()
        self.turned()

    def saved(self, snapshot: Snapshotted) -> None:
        """Wake who waits for a snapshot."""
        self._saved_position = snapshot.position
        self._saved.tell()

    def turned(self) -> None:
        """Note who leads by now."""
        self._elections.turned()
        leader = self._engine.roles.proposer.live_leader()
        leadership = self._engine.roles.learner.state.leadership
        if leadership is not None and leadership.leader != leader:
            leadership = None
        if leadership != self._view.leadership:
            view, self._view = self._view, View(leadership)
            view.next = self._view
            view.changed.set()
            for instrument in self._instruments:
                instrument.leader_changed(leadership)

    def failed(self, error: JournalError) -> None:
        """Tell whoever watches that this node votes no more."""
        self._saved.tell()
        for instrument in self._instruments:
            instrument.journal_failed(error)

    def happened(self, event: Event) -> None:
        """Pass on what a role reports."""
        if isinstance(event, Diverging):
            self._stop(event)
        for instrument in self._instruments:
            instrument.event(event)

    def _stop(self, event: Diverging) -> None:
        """Serve nobody any more: what this node says may be wrong."""
        self._end(StateDiverged(event.why))

    def _end(self, why: PaxosError) -> None:
        self._proposals.end(why)
        self._readers.end(why)
        self._growth.tell()
        self._saved.tell()

    async def run(self) -> None:
        """Run until closed, also when all around is cancelled: there is still to be resigned."""
        with self._running:
            await self._run()

    async def _run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._engine.run)
            self._elections.start()
            nursery.start_soon(self._post.resolve_regularly)
            nursery.start_soon(self._desk.run)

    async def farewell(self) -> None:
        """End this node's terms in an orderly way, as long as that takes but a moment."""
        await self._elections.farewell()

    def close(self) -> None:
        """Resign, and tell every waiting task that its outcome is unknown."""
        self._closed = True
        self._running.cancel()
        self._elections.close()
        self._engine.resign()
        self._end(NodeClosed("the node was closed; ask another"))


def checked(command: object) -> bytes:
    """Return what an application proposes, if it may."""
    if type(command) is bytes and len(command) <= MAX_COMMAND_BYTES:
        return command
    if not isinstance(command, bytes | bytearray | memoryview):
        raise TypeError(f"a command is bytes, not {type(command).__name__}")
    if len(command) > MAX_COMMAND_BYTES:
        raise CommandTooLarge(
            f"a command of {len(command):,} bytes was refused: the most is {MAX_COMMAND_BYTES:,}; "
            "store the data elsewhere and propose a reference to it"
        )
    return bytes(command)


def _tell_damage(instruments: tuple[Instrument, ...], what: str) -> None:
    for instrument in instruments:
        instrument.event(JournalDoubted(what))


@asynccontextmanager
async def open_node(
    cluster: Cluster,
    name: str,
    *,
    data: str | os.PathLike[str] | Journal,
    machine: StateMachine,
    transport: UnreliableTransport | None = None,
    instruments: tuple[Instrument, ...] = (),
    compaction: Compaction | None = None,
) -> AsyncIterator[Node]:
    """Take part in a cluster as one of its members, inside the block.

    Args:
        cluster: Who the members are.
        name: Which of them this is.
        data: The path of the node's journal, made if missing; or a `Journal`. A damaged journal
            is set aside, and its content asked of the other members.
        machine: What the chosen commands are applied to; fresh, since the newest snapshot is
            restored to it, and the log from there on is replayed.
        transport: A network other than UDP on the member's host and port.
        instruments: Who watches.
        compaction: When this node takes snapshots and lets the log before them go.

    Raises:
        ConfigError: ``name`` is no member.
        JournalError: The journal cannot be used; the text says why.
        OSError: The member's address cannot be bound.
        NameInUse: In the block, inside an exception group: an earlier process of this name lives.

    """
    member = cluster.member(name)
    own_journal = isinstance(data, str | os.PathLike)
    if isinstance(data, str | os.PathLike):
        journal = open_journal(data, cluster, name, partial(_tell_damage, instruments))
    else:
        journal = data
    if journal.doubt:
        _tell_damage(instruments, journal.doubt)
    try:
        if transport is None:
            transport = await open_udp(member.host, member.port, cluster.datagram_limit)
        wire = Wire(cluster.name, cluster.keys, name, cluster.datagram_limit, trio.current_time)
        post = Post(cluster, name, transport, wire)
        try:
            quick = own_journal and is_quick(journal)
            async with open_storage(journal, quick=quick) as storage:
                node = Node(
                    cluster,
                    name,
                    machine,
                    journal,
                    storage,
                    post,
                    instruments,
                    compaction or Compaction(),
                )
                await post.resolve()
                async with open_nursery() as nursery:
                    nursery.start_soon(node.run)
                    if cluster.key_file is not None:
                        nursery.start_soon(watch_keys, cluster.key_file, wire, node.happened)
                    try:
                        yield node
                    finally:
                        with trio.CancelScope(shield=True):
                            await node.farewell()
                        node.close()
                        nursery.cancel_scope.cancel()
        finally:
            transport.close()
    finally:
        if own_journal:
            journal.close()
