"""A node of the simulation: the same turns as the Trio node, on virtual time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

from paxos.errors import LogCompacted
from paxos.journal import JournalError
from paxos.node.inbox import INBOX_BOUND, MAX_PATIENT
from paxos.protocol.effects import Effects, Send, Supply, Wake
from paxos.protocol.events import Event
from paxos.protocol.messages import Message, Teach
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Record
from paxos.replicated.decrees import Decree, Ruling
from paxos.replicated.election_decrees import Renew
from paxos.replicated.messages import Adopted, OwnMessage
from paxos.replicated.reading import ReadsReady
from paxos.replicated.roles import Roles, Turn
from paxos.replicated.routing import ROUTES, Role
from paxos.replicated.snapshot_messages import (
    Installed,
    LoadSnapshot,
    SaveSnapshot,
    SupplyPieces,
)
from paxos.replicated.standing import Decide, Lost, Out, Won
from paxos.replicated.state import Applied
from paxos.replicated.values import Command, CommandId, Result, Session
from paxos.testing.simulation.disk import Disk
from paxos.testing.simulation.snapshots import Snapshots, read_journal

if TYPE_CHECKING:
    from paxos.testing.simulation.simulation import Simulation

Answer = Callable[[int, Result | Ruling | None], None]

EPOCH = 1.7e9
"""The time of day at which runs begin, in seconds since 1970."""

TURN = 0.00002
"""How long a role takes to notice what has arrived, in seconds."""

AT_ONCE = 0
"""Stands for the number of a read that waits for nothing."""

SUPPLIED = 64
"""The most slots that answer one request of a laggard."""


class Crash(Exception):  # noqa: N818 - it happens to a node; nothing is wrong with the program
    """The node stops in the middle of a step."""


class Process:
    """One node: it runs, is paused, crashes between any two steps, and starts again."""

    def __init__(self, simulation: Simulation, name: str) -> None:
        self.name = name
        self.disk = Disk(
            simulation.world,
            name,
            simulation.medium(name),
            self._durable,
            simulation.injected,
            simulation.memory,
        )
        self.disk.noticed = lambda: simulation.nemesis.would_be_noticed(name)
        self.life = 0
        self.up = False
        self.paused = False
        self.slowness = 1.0
        """By what a turn takes longer than usual."""
        self.offset = 0.0
        self.rate = 1.0
        """Its clock shows ``offset + rate * time``."""
        self.wall_error = 0.0
        """By how much its time of day is wrong, in seconds."""
        self.steps_to_crash: int | None = None
        """After so many more steps it crashes, wherever it then is."""
        self.roles: Roles
        self.session = Session(name, 0)
        self.counts: Counter[str] = Counter()
        self._simulation = simulation
        self._world = simulation.world
        self._random = simulation.world.random(f"process {name}")
        self._waiting: dict[CommandId, Answer] = {}
        self._readers: dict[int, Callable[[], None]] = {}
        self._snapshots = Snapshots(self, simulation)

    def start(self) -> None:
        """Begin a life with what the disk holds; a journal that is not whole keeps it down."""
        if self.up:
            return
        try:
            records = self.disk.open()
        except JournalError:
            self.counts["refused_journal"] += 1
            return
        self.life += 1
        self.up, self.paused, self.steps_to_crash = True, False, None
        self.session = Session(self.name, self.disk.journal.boot)
        simulation = self._simulation
        self._inboxes: dict[Role, deque[tuple[str, Message | None]]] = {
            "acceptor": deque(),
            "proposer": deque(),
            "learner": deque(),
        }
        self._busy: set[Role] = set()
        self._woken: set[Role] = set()
        self._usurps = False
        self._alarms: Counter[Role | Literal["office"]] = Counter()
        self._decrees: dict[CommandId, Decree] = {}
        self._stalled: list[Callable[[], None]] = []
        self._waiting.clear()
        self._readers.clear()
        machine = simulation.new_machine(self.name)
        self._world.note(f"{self.name} starts, life {self.life}")
        simulation.recovered(self, records)
        self.roles = Roles.begin(
            self.session,
            Majority(simulation.names),
            simulation.timing,
            machine,
            records,
            load=partial(read_journal, self.disk.journal),
            window=simulation.window,
            doubt=self.disk.journal.doubt,
            journal=lambda: self.disk.journal.mark,
            compaction=simulation.compaction,
            clock=self.clock,
        )
        simulation.network.begin_life(self.name)
        simulation.restarted(self)
        for role, turn in self.roles.start(self.clock()).items():
            self._carry_out(role, turn)
        self._attend(self.roles.office.wake(self.clock()))
        simulation.campaigners[self.name].start()

    def crash(self) -> None:
        """Stop at once; memory is lost, and the disk keeps what it must and perhaps more."""
        if not self.up:
            return
        self._world.note(f"{self.name} crashes")
        self.up = False
        self.disk.crash()
        self._simulation.crashed(self)

    def pause(self) -> None:
        """Stop doing anything, until `resume`; messages pile up meanwhile."""
        if self.up and not self.paused:
            self.paused = True
            self._world.note(f"{self.name} is paused")

    def resume(self) -> None:
        """Go on where it stopped."""
        if self.up and self.paused:
            self.paused = False
            self._world.note(f"{self.name} resumes")
            stalled, self._stalled = self._stalled, []
            for step in stalled:
                self._world.after(TURN, step)

    def clock(self) -> float:
        """Return the node's own monotonic time in seconds."""
        return self.offset + self.rate * self._world.now

    def usurp(self) -> bool:
        """Begin a ballot in the next turn, whoever leads; tell whether this node may."""
        if not self.up or self.roles.proposer.candidacy.disabled:
            return False
        self._usurps = True
        self._wake("proposer")
        return True

    def wall_clock(self) -> float:
        """Return what it takes for the time of day, in seconds since 1970; it may jump."""
        return EPOCH + self._world.now + self.wall_error

    # What arrives.

    def receive(self, source: str, message: Message) -> None:
        """Take a message from the network."""
        if self.up and not isinstance(message, OwnMessage):
            for role in ROUTES.get(type(message), ()):
                self.put(role, source, message)

    def submit(self, command: Command, answer: Answer) -> None:
        """Propose a command for a client, which is answered unless this node crashes."""
        if self.up:
            self._waiting[command.id] = answer
            if self.roles.proposer.adopt(command):
                self.put("proposer", self.name, Adopted())

    def submit_own(self, data: bytes | Decree, answer: Answer) -> None:
        """Propose a command of an application that embeds this node, or a decree of the node."""
        self.submit(Command(*self.roles.next_id(), data), answer)

    def unanswered(self) -> set[CommandId | int]:
        """Return the commands and the reads that wait for an answer; renewals need none."""
        commands = {
            command
            for command in self._waiting
            if not isinstance(self._decrees.get(command), Renew)
        }
        return {*commands, *self._readers}

    def barrier(self, ready: Callable[[], None], *, lease: bool = False) -> None:
        """Call when this node's state may be read, unless it crashes before."""
        if self.up and lease:
            self.later(TURN, self._leased_barrier, ready)
        elif self.up:
            read = self.roles.proposer.reading.begin()
            self._readers[read.number] = ready
            self._simulation.read_begun(self, read.number)
            self.put("proposer", self.name, read)

    def _leased_barrier(self, ready: Callable[[], None]) -> None:
        proposer = self.roles.proposer
        point = proposer.leased_point()
        if point is None:
            self.barrier(ready)
            return
        self._simulation.injected["leased_read"] += 1
        behind = self.roles.learner.learner.frontier < point
        number = proposer.reading.begin_at(point, self.clock()) if behind else AT_ONCE
        self._readers[number] = ready
        self._simulation.read_begun(self, number)
        if not behind:
            self._ready(number)

    # Elections.

    def stand(self, name: str, priority: int) -> None:
        """Stand in an election, in which this node has no part."""
        self._attend(self.roles.office.stand(name, priority, b"", self.clock()))

    def leave(self, name: str) -> None:
        """Leave it, if this node has any part in it."""
        if name in self.roles.office.standings:
            self._attend(self.roles.office.leave(name, self.clock()))

    def later(self, delay: float, step: Callable[..., None], *arguments: object) -> None:
        """Do a step of the application in this life, or when the node is not paused any more."""
        self._world.after(delay, self.guarded, self.life, step, *arguments)

    def _attend(self, effects: Effects) -> None:
        """Do what the office wants."""
        campaigner = self._simulation.campaigners[self.name]
        for effect in effects:
            self._step()
            match effect:
                case Decide(decree):
                    command = self.roles.decree(decree)
                    self._decrees[command.id] = decree
                    self.submit(command, lambda slot, result: None)
                case Wake(earliest, latest):
                    self._set_alarm("office", earliest, latest)
                case Won(name, epoch):
                    campaigner.won(name, epoch)
                case Lost(name, loss):
                    campaigner.lost(name, loss)
                case Out(name):
                    campaigner.out(name)
        self._simulation.believed()

    def put(self, role: Role, source: str, message: Message | None) -> None:
        """Let a role find a message, or None for its alarm, in its inbox."""
        inbox = self._inboxes[role]
        keep = message is None or isinstance(message, OwnMessage)
        if len(inbox) >= INBOX_BOUND and not keep:
            self.counts["inbox_dropped"] += 1
            return
        inbox.append((source, message))
        if not self._can_wait(role, source, message):
            self._wake(role)

    def _can_wait(self, role: Role, source: str, message: Message | None) -> bool:
        """Tell whether a message need wake nobody: it is read with the next one that does."""
        if message is None or role != "learner" or len(self._inboxes[role]) >= MAX_PATIENT:
            return False
        return self.roles.learner.can_wait(source, message)

    # What it does.

    def _wake(self, role: Role) -> None:
        """Let a role have its turn soon; one that waits for a sync looks by itself afterwards."""
        if role not in self._busy and role not in self._woken:
            self._woken.add(role)
            self._world.after(TURN * self.slowness, self.guarded, self.life, self._turn, role)

    def guarded(self, life: int, step: Callable[..., None], *arguments: object) -> None:
        """Do a step if this life still lasts; later if it is paused; crash if its time has come."""
        if life != self.life or not self.up:
            return
        if self.paused:
            self._stalled.append(lambda: self.guarded(life, step, *arguments))
            return
        try:
            self._step()
            step(*arguments)
        except Crash:
            self.crash()

    def _step(self) -> None:
        if self.steps_to_crash is not None:
            self.steps_to_crash -= 1
            if self.steps_to_crash <= 0 and self._simulation.nemesis.may_crash(self.name):
                self._simulation.injected["crash_in_a_step"] += 1
                raise Crash

    def _turn(self, role: Role) -> None:
        self._woken.discard(role)
        inbox, self._inboxes[role] = self._inboxes[role], deque()
        turn = self.roles.turn(role, inbox, self.clock())
        self._simulation.turned(self)
        if role == "learner":
            self._simulation.reached(self)
        if role == "proposer" and self._usurps:
            self._usurps = False
            candidacy = self.roles.proposer.candidacy
            if not candidacy.disabled:
                rude = Turn.of((*candidacy.proposer.stop(), *candidacy.begin()))
                turn.records.extend(rude.records)
                turn.effects.extend(rude.effects)
        if not turn.records:
            self._carry_out(role, turn)
            return
        self._busy.add(role)
        life = self.life

        def durable(error: JournalError | None) -> None:
            self._world.after(0.0, self.guarded, life, self._synced, role, turn, error)

        self.disk.persist(turn.records, durable)

    def _durable(self, records: list[Record]) -> None:
        self._simulation.persisted(self, records)

    def _synced(self, role: Role, turn: Turn, error: JournalError | None) -> None:
        self._busy.discard(role)
        if error is None:
            self._carry_out(role, turn)
        else:
            self.roles.fail(str(error))
        if self._inboxes[role] or (role == "proposer" and self._usurps):
            self._wake(role)

    def _carry_out(self, role: Role, turn: Turn) -> None:
        for effect in turn.effects:
            self._step()
            match effect:
                case Send(targets, message):
                    self._simulation.sent(self, message)
                    for target in targets:
                        self.send(target, message)
                case Wake(earliest, latest):
                    self._set_alarm(role, earliest, latest)
                case Applied():
                    self._applied(effect)
                case ReadsReady(number):
                    self._ready(number)
                case Supply():
                    self._supply(effect)
                case SaveSnapshot() | LoadSnapshot() | SupplyPieces():
                    self._snapshots.carry_out(effect)
                case Installed(position):
                    self._simulation.installed(self, position)
                    self._attend(self.roles.office.turned(self.clock()))
                case Event():
                    self._simulation.happened(self, effect)
        if turn.later and not self.roles.failure:
            self.disk.persist_later(turn.later)
        if role == "proposer":
            self._attend(self.roles.office.turned(self.clock()))

    def send(self, target: str, message: Message) -> None:
        """Send a message to a node, or to this node's own roles."""
        if target == self.name:
            for role in ROUTES[type(message)]:
                self.put(role, self.name, message)
        else:
            self._simulation.network.send(self.name, target, message)

    def _set_alarm(self, role: Role | Literal["office"], earliest: float, latest: float) -> None:
        self._alarms[role] += 1
        delay = self._random.uniform(earliest, max(earliest, latest)) / self.rate
        self._world.after(delay, self.guarded, self.life, self._ring, role, self._alarms[role])

    def _ring(self, role: Role | Literal["office"], alarm: int) -> None:
        if alarm != self._alarms[role]:
            return
        if role == "office":
            self._attend(self.roles.office.wake(self.clock()))
        else:
            self.put(role, "", None)

    def _applied(self, applied: Applied) -> None:
        self._simulation.applied(self, applied)
        for command, slot, result in applied.results:
            answer = self._waiting.pop(command, None)
            if answer is not None:
                answer(slot, result)
        rulings = [
            (self._decrees.pop(command), result if isinstance(result, Ruling) else None)
            for command, _, result in applied.results
            if command in self._decrees
        ]
        if applied.changes or rulings:
            self._attend(self.roles.office.applied(applied.changes, rulings, self.clock()))

    def _ready(self, last: int) -> None:
        for number in [number for number in self._readers if number <= last]:
            self._simulation.read_ready(self, number)
            self._readers.pop(number)()

    def _supply(self, supply: Supply) -> None:
        learner = self.roles.learner.learner
        retained, last = learner.retained, min(supply.last, supply.first + SUPPLIED - 1)
        if supply.first in retained:
            values = [(s, retained[s]) for s in range(supply.first, last + 1) if s in retained]
        else:
            try:
                values = self.disk.journal.read(supply.first, last, 1 << 18)
            except LogCompacted:
                self._snapshots.offer(supply.target)
                return
            except JournalError:  # damaged, or closed after a failure
                return
        for slot, value in values:
            teach = Teach(slot, value, values[-1][0], learner.frontier)
            self._simulation.sent(self, teach)
            self.send(supply.target, teach)
