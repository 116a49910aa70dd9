"""The roles of a simulated node, and their turns: the same as in the Trio node, on virtual time."""

from __future__ import annotations

from abc import ABC, abstractmethod
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
from paxos.replicated.messages import OwnMessage
from paxos.replicated.reading import ReadsReady
from paxos.replicated.roles import Roles, Turn
from paxos.replicated.routing import ROUTES, Role
from paxos.replicated.snapshot_messages import (
    Installed,
    LoadSnapshot,
    SaveSnapshot,
    SupplyPieces,
)
from paxos.replicated.state import Applied
from paxos.replicated.values import Session
from paxos.testing.simulation.disk import Disk
from paxos.testing.simulation.snapshots import Snapshots, read_journal
from paxos.testing.simulation.store import Watched

if TYPE_CHECKING:
    from paxos.testing.simulation.simulation import Simulation

EPOCH = 1.7e9
"""The time of day at which runs begin, in seconds since 1970."""

TURN = 0.00002
"""How long a role takes to notice what has arrived, in seconds."""

SUPPLIED = 64
"""The most slots that answer one request of a laggard."""


class Crash(Exception):  # noqa: N818 - it happens to a node; nothing is wrong with the program
    """The node stops in the middle of a step."""


class Engine(ABC):
    """Runs the roles of one node; it is paused, crashes between any two steps, and starts again."""

    def __init__(self, simulation: Simulation, name: str) -> None:
        self.name = name
        self.disk = Disk(
            simulation.world,
            name,
            simulation.medium(name),
            self._durable,
            simulation.injected,
            simulation.jury.memory,
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
        self.machine: Watched
        self.session = Session(name, 0)
        self.counts: Counter[str] = Counter()
        self._simulation = simulation
        self._world = simulation.world
        self._jury = simulation.jury
        self._random = simulation.world.random(f"process {name}")
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
        self._stalled: list[Callable[[], None]] = []
        self._forget()
        self.machine = simulation.new_machine()
        self._world.note(f"{self.name} starts, life {self.life}")
        self._jury.recovered(self.name, records)
        self.roles = Roles.begin(
            self.session,
            Majority(simulation.names),
            simulation.timing,
            self.machine,
            records,
            load=partial(read_journal, self.disk.journal),
            window=simulation.window,
            doubt=self.disk.journal.doubt,
            journal=lambda: self.disk.journal.mark,
            compaction=simulation.compaction,
            clock=self.clock,
        )
        simulation.network.begin_life(self.name)
        self._jury.restarted(self.name, self.roles)
        self._reached()
        for role, turn in self.roles.start(self.clock()).items():
            self._carry_out(role, turn)
        self._begin()

    def crash(self) -> None:
        """Stop at once; memory is lost, and the disk keeps what it must and perhaps more."""
        if not self.up:
            return
        self._world.note(f"{self.name} crashes")
        self.up = False
        self.disk.crash()

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

    def true_time(self, moment: float) -> float:
        """Return when this node's own clock shows a moment, in seconds since the beginning."""
        return (moment - self.offset) / self.rate

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
        self._jury.listens(self.name, role)
        turn = self.roles.turn(role, inbox, self.clock())
        self._jury.turned(self.name, self.roles)
        self._simulation.leases.turned(self)
        if role == "learner":
            self._reached()
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

    def _reached(self) -> None:
        """Tell the jury how far this node has come, and to which state."""
        learner = self.roles.learner
        # what the machine was asked and answered, and what the log decided beside that
        digest = self.machine.digest << 32 | learner.state.checksum
        self._jury.reached(self.name, learner.learner.frontier, digest)

    def _durable(self, records: list[Record]) -> None:
        self._jury.persisted(self.name, records)

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
                    self._jury.sent(self.name, message)
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
                    self._world.note(f"{self.name} installs the snapshot of slot {position}")
                    self._simulation.injected["install"] += 1
                    self._jury.installed(self.name, position)
                    self._attend(self.roles.office.turned(self.clock()))
                case Event():
                    self._jury.happened(self.name, effect)
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

    def later(self, delay: float, step: Callable[..., None], *arguments: object) -> None:
        """Do a step of the application in this life, or when the node is not paused any more."""
        self._world.after(delay, self.guarded, self.life, step, *arguments)

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
            self._jury.sent(self.name, teach)
            self.send(supply.target, teach)

    # What stands around the roles.

    @abstractmethod
    def _forget(self) -> None:
        """Forget all of an earlier life."""

    @abstractmethod
    def _begin(self) -> None:
        """Begin to do something: the roles have begun."""

    @abstractmethod
    def _attend(self, effects: Effects) -> None:
        """Do what the office wants."""

    @abstractmethod
    def _applied(self, applied: Applied) -> None:
        """Hear that a slot took effect."""

    @abstractmethod
    def _ready(self, last: int) -> None:
        """Hear that reads up to this number may look at the state."""
