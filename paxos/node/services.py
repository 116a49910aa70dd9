"""What a node is made of: its engine, and what stands around it for those who ask."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from paxos.errors import CommandFailed, CommandTooLarge, NodeClosed, PaxosError, StateDiverged
from paxos.journal import JournalError
from paxos.node.desk import Desk
from paxos.node.effects import Turns
from paxos.node.election_service import ElectionService
from paxos.node.engine import Engine, Equipment, Watcher
from paxos.node.instrument import Instrument
from paxos.node.nursery import only_cause
from paxos.node.proposals import Proposals
from paxos.node.readers import Readers
from paxos.node.watching import Growth, View
from paxos.protocol.events import Event
from paxos.protocol.records import Snapshotted
from paxos.replicated.decrees import Decree, Ruling
from paxos.replicated.events import StateDiverged as Diverging
from paxos.replicated.messages import Adopted
from paxos.replicated.snapshot_messages import Installed, SnapshotWanted
from paxos.replicated.state import Applied, QueryableStateMachine, in_words
from paxos.replicated.values import (
    MAX_COMMAND_BYTES,
    Command,
    Failure,
    Leadership,
    Session,
)


class Services(Watcher):
    """Serves the application, clients and elections, and hears what becomes of it."""

    def __init__(self, equipment: Equipment, instruments: tuple[Instrument, ...]) -> None:
        name, post = equipment.name, equipment.post
        self.name = name
        self.closed = False
        self.journal = equipment.journal
        self.storage = equipment.storage
        self.view = View(None)
        self.engine = Engine(equipment, self)
        self.growth = Growth(self.engine.hurry)
        self.roles = roles = self.engine.roles
        self.desk = Desk(self, post)
        self.proposals = Proposals(name, roles.proposer, post, roles.next_id)
        self.readers = Readers(roles.proposer, roles.learner.learner, post)
        self.elections = ElectionService(self, roles, self.engine.timers, equipment.cluster.timing)
        self.turns = Turns()
        self.post = post
        self._instruments = instruments
        self._running = trio.CancelScope(shield=True)
        self._saving = Growth()
        self._saved_position = -1

    async def run(self) -> None:
        """Run until closed, also when all around is cancelled: there is still to be resigned."""
        try:
            with self._running:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.engine.run)
                    self.elections.start()
                    nursery.start_soon(self.post.resolve_regularly)
                    nursery.start_soon(self.desk.run)
        except BaseException as error:
            self.closed = True
            why = (
                f"the node has ended by itself: leave its block, which raises {only_cause(error)!r}"
            )
            self._end(NodeClosed(why))
            raise
        finally:
            self.elections.close()  # where the node has failed, nothing can be resigned any more

    async def farewell(self) -> None:
        """End this node's terms in an orderly way, as long as that takes but a moment."""
        await self.elections.farewell()

    def close(self) -> None:
        """Resign, and tell every waiting task that its outcome is unknown."""
        self.closed = True
        self._running.cancel()
        self.elections.close()
        self.engine.resign()
        self._end(NodeClosed("the node was closed; ask another"))

    # What is asked of it.

    @property
    def position(self) -> int:
        """How far the log is applied here."""
        return self.roles.learner.learner.frontier

    async def propose_as(
        self, session: Session, number: int, data: bytes
    ) -> tuple[int, bytes | Failure]:
        """Have a session's command applied once; return the slot that decided it, and its result.

        Raises what `Node.propose` does, but for `CommandFailed`, which the result says.
        """
        slot, result = await self.proposals.decide(checked(data), (session, number))
        assert isinstance(result, bytes | Failure)
        return slot, result

    async def decree(self, decree: Decree) -> Ruling:
        """Have a decree applied, once; return what became of it. Raises `OutcomeUnknown`."""
        _, ruling = await self.proposals.decide(decree)
        assert isinstance(ruling, Ruling)
        return ruling

    def send(self, command: Command) -> None:
        """Send a command of this node on its way, again and again until it is applied."""
        if self.roles.proposer.adopt(command):
            self.post.deliver(self.name, Adopted())

    async def query(self, question: bytes) -> bytes:
        """Have the state machine answer a question when it may be read; see `Node.query`."""
        await self.readers.barrier()
        machine = self.roles.learner.state.machine
        if not isinstance(machine, QueryableStateMachine):
            raise CommandFailed(f"{type(machine).__name__} has no method query: it answers none")
        try:
            answer: object = machine.query(question)
        except Exception as error:
            raise CommandFailed(in_words(error)) from error
        if not isinstance(answer, bytes):
            raise CommandFailed(f"TypeError: query() returned {type(answer).__name__}, not bytes")
        return answer

    async def compact(self) -> int:
        """Take a snapshot now, and return its position when it is on the disk."""
        wanted, self._saved_position = self.position, -1
        self.post.deliver(self.name, SnapshotWanted())
        while self._saved_position < wanted:
            if self.roles.failure:
                raise JournalError(self.roles.failure)
            await self._saving.wait()
        return self._saved_position

    def readmit(self, without: Iterable[str]) -> None:
        """Let this node vote again without the help of some others; see `Node.readmit`."""
        self.roles.admission.excuse(without)

    # What it hears from the engine.

    def applied(self, applied: Applied) -> None:
        """Wake the tasks whose commands took effect."""
        self.proposals.applied(applied)
        self.elections.applied(applied)
        self.growth.tell()
        if isinstance(applied.value, Leadership):
            self.turned()

    def readable(self, number: int) -> None:
        """Wake the tasks whose reads have come so far."""
        self.readers.ready(number)

    def installed(self, installed: Installed) -> None:
        """Note that the state has jumped to that of a snapshot."""
        self.growth.tell()
        self.turned()

    def saved(self, snapshot: Snapshotted) -> None:
        """Wake who waits for a snapshot."""
        self._saved_position = snapshot.position
        self._saving.tell()

    def turned(self) -> None:
        """Note who leads by now."""
        self.elections.turned()
        leader = self.roles.proposer.live_leader()
        leadership = self.roles.learner.state.leadership
        if leadership is not None and leadership.leader != leader:
            leadership = None
        self._show(leadership)

    def _show(self, leadership: Leadership | None) -> None:
        """Let everybody know who leads by now; a closed node knows of nobody."""
        if self.closed:
            leadership = None
        if leadership != self.view.leadership:
            view, self.view = self.view, View(leadership)
            view.next = self.view
            view.changed.set()
            for instrument in self._instruments:
                instrument.leader_changed(leadership)

    def waits(self) -> bool:
        """Tell whether a task waits for the log to grow."""
        return self.growth.awaited

    def failed(self, error: JournalError) -> None:
        """Tell whoever watches that this node votes no more."""
        self._saving.tell()
        for instrument in self._instruments:
            instrument.journal_failed(error)

    def happened(self, event: Event) -> None:
        """Pass on what a role reports; what a diverged node would say may be wrong."""
        if isinstance(event, Diverging):
            self._end(StateDiverged(event.why))
        for instrument in self._instruments:
            instrument.event(event)

    def _end(self, why: PaxosError) -> None:
        self._show(self.view.leadership)
        self.proposals.end(why)
        self.readers.end(why)
        self.growth.tell()
        self._saving.tell()


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
