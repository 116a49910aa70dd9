"""A whole cluster in one thread, on virtual time, all of whose chance comes from one seed."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from attrs import frozen

from paxos.errors import LogCompacted
from paxos.node.cluster import Timing
from paxos.protocol.events import Event
from paxos.protocol.messages import Message
from paxos.protocol.records import Record
from paxos.replicated.compaction import Compaction
from paxos.replicated.messages import Refused
from paxos.replicated.state import Applied, StateMachine
from paxos.replicated.values import Leadership
from paxos.testing.checkers import (
    Agreement,
    Answers,
    AtMostOnce,
    Checker,
    EffectsOnce,
    EqualState,
    Forward,
    Freshness,
    HighestVote,
    Honesty,
    Linearizable,
    Marks,
    Memory,
    NamedElections,
    OneLeaderPerEpoch,
    Prefix,
    Recount,
    Steadfast,
    Tallies,
    Tidy,
    Violation,
)
from paxos.testing.checkers.base import overriding
from paxos.testing.linearizability import Handle
from paxos.testing.simulation.action import Plan
from paxos.testing.simulation.campaigner import ELECTIONS, Campaigner
from paxos.testing.simulation.charging import Provider
from paxos.testing.simulation.clients import Client, Operation
from paxos.testing.simulation.files import SqliteMedium
from paxos.testing.simulation.healing import Healing
from paxos.testing.simulation.media import Medium, MemoryMedium, all_of, memory_disk
from paxos.testing.simulation.nemesis import Nemesis
from paxos.testing.simulation.network import Network
from paxos.testing.simulation.plan import draw_plan
from paxos.testing.simulation.process import Process
from paxos.testing.simulation.store import Store, Transactions, Watched
from paxos.testing.simulation.world import World

ON_FILES = 0.5
"""The share of seeds whose nodes have SQLite journals; the others' are in memory."""

THINKING = (0.05, 0.05, 0.3)
"""How busy clients are; see `Simulation.thinking`."""

AUDITED = 50
"""How many slots of a journal are read at once when the run ends."""

TRANSACTIONS = 0.2
"""The share of seeds whose registers are in a `KeyValue`, and each command a transaction."""

LEASE_READS = 0.5
"""The share of seeds whose clients read with leases."""


@frozen
class Outcome:
    """What came of a run."""

    seed: int
    events: int
    answered: int
    """How many operations of clients were answered."""
    slots: int
    """How long the longest log became."""
    faults: Counter[str]
    """How often each fault was really injected."""
    trace_sha256: str
    violation: str
    """Which invariant did not hold, and how; empty when all did."""


class Simulation:
    """Runs nodes, clients and faults.

    Args:
        seed: Everything random follows from it.
        nodes: How many nodes.
        machine: Makes the state machine of each life of each node; by default one of registers.
        commands: Draws a client's next command for the machine; without it clients read, write,
            and compare and set, and their history is checked for linearizability.
        clients: How many clients.
        duration: Seconds of virtual time with faults, before the core is healed.
        plan: Which faults; drawn from the seed if it is not given.
        keep_trace: Whether `World.lines` is kept.
        window: How many slots may be in flight; few, so that full windows are met.
        compaction: When nodes take snapshots; drawn from the seed if it is not given.

    """

    def __init__(
        self,
        seed: int,
        nodes: int = 3,
        *,
        machine: Callable[[], StateMachine] | None = None,
        commands: Callable[[Random], bytes] | None = None,
        clients: int = 4,
        duration: float = 4.0,
        plan: Plan | None = None,
        keep_trace: bool = False,
        window: int = 8,
        compaction: Compaction | None = None,
    ) -> None:
        self.world = World(seed, keep_trace=keep_trace)
        self._padding = 0
        self.compaction = self._draw_compaction() if compaction is None else compaction
        self.names = tuple(f"node{number}" for number in range(1, nodes + 1))
        self.quorums = Recount(self.names)
        lease_reads = self.world.random("lease reads").random() < LEASE_READS
        self.timing = Timing(lease=0.4, drift=0.06, lease_reads=lease_reads)
        self.window = window
        self.duration = duration
        self.injected: Counter[str] = Counter()
        self.values = 0
        self.clients_work = True
        self.thinking = self.world.random("thinking").choice(THINKING)
        """Up to so many seconds pass between an answer and a client's next command."""
        self.campaigners_work = True
        self.paused_checks = 0.0
        """How often a node is paused between the check of a term and the act."""
        self.wild_clocks = False
        """Whether a clock's rate is out of bounds, so that two may believe to lead."""
        self.network = Network(self.world, self.names, self._deliver)
        self._agreement, self.memory = Agreement(self.quorums), Memory()
        self._prefix, self._linearizable = Prefix(), Linearizable()
        self._on_files = self.world.random("journals").random() < ON_FILES
        self.elections = NamedElections()
        self.effects = EffectsOnce()
        self.provider = Provider(self.effects)
        self.checkers: tuple[Checker, ...] = (
            self._agreement,
            self.memory,
            HighestVote(self.quorums),
            Honesty(self.memory),
            self._prefix,
            EqualState(),
            OneLeaderPerEpoch(),
            AtMostOnce(),
            Freshness(),
            Forward(),
            Steadfast(),
            Tallies(self.memory),
            Answers(),
            Marks(),
            Tidy(),
            self.elections,
            self.effects,
            self._linearizable,
        )
        self._hear_sent = [checker.sent for checker in overriding(self.checkers, "sent")]
        self._hear_turns = [checker.turned for checker in overriding(self.checkers, "turned")]
        self._hear_events = [checker.happened for checker in overriding(self.checkers, "happened")]
        with_transactions = self.world.random("machine").random() < TRANSACTIONS
        self._machine = machine or (Transactions if with_transactions else Store)
        self.commands = commands
        self._machines: dict[str, Watched] = {}
        self.processes = {name: Process(self, name) for name in self.names}
        self.campaigners = {
            name: Campaigner(self, process) for name, process in self.processes.items()
        }
        self.nemesis = Nemesis(self)
        self.plan = (
            draw_plan(self.world.random("plan"), self.names, duration) if plan is None else plan
        )
        self._clients = [Client(self, index) for index in range(clients)]
        self._answered = 0

    def _draw_compaction(self) -> Compaction:
        """Draw when snapshots are taken: often in half of the runs; and how long they are."""
        random = self.world.random("compaction")
        if random.random() < 0.5:
            return Compaction()
        self._padding = random.choice((0, 0, 60_000, 200_000, 600_000))
        return Compaction(
            slots=random.choice((1, 2, 5, 30)), log_bytes=random.choice((300, 1 << 20))
        )

    def run(self) -> Outcome:
        """Run to the end, or to the first violation; an error in a node is one, too."""
        violation = ""
        with memory_disk() as self._folder:
            try:
                self._run()
            except Violation as error:
                violation = str(error)
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                kind = type(error).__name__
                violation = f"{kind} in {Path(where.filename).stem}.{where.name}: {error}"
            finally:
                for process in self.processes.values():
                    process.disk.medium.close()
        violation = violation.replace(f"{self._folder}/", "")  # it differs from run to run
        if violation:
            self.world.note(f"VIOLATION: {violation}")
        return Outcome(
            seed=self.world.seed,
            events=self.world.events,
            answered=self._answered,
            slots=len(self._prefix.log),
            faults=self.injected + self.network.injected,
            trace_sha256=self.world.trace_sha256,
            violation=violation,
        )

    def _run(self) -> None:
        for action in self.plan:
            if action.at >= self.duration:
                break  # what comes then, or does not, is up to the last part of the run
            self.world.after(action.at, self.nemesis.do, action)
        for name in self.names:
            self.world.after(0.0, self.processes[name].start)
        for client in self._clients:
            client.start()
        self.world.run_until(self.duration)
        Healing(self).check()
        for process in self.processes.values():
            if process.up:
                self._audit(process)
        for checker in self.checkers:
            checker.finished()

    def _audit(self, process: Process) -> None:
        """See that all is in a journal that its node could ask for, or its next life."""
        disk, journal = process.disk, process.disk.journal
        if disk.failed or disk.spoilt:
            return
        self.recovered(process, all_of(journal))
        slot = journal.first
        while values := journal.read(slot, slot + AUDITED, 1 << 20):
            self._agreement.kept(process.name, slot, [value for _, value in values])
            slot = values[-1][0] + 1
        if slot != journal.frontier:
            raise Violation(f"the journal of {process.name} ends at {slot}, not {journal.frontier}")
        if slot > journal.first and not journal.read(slot - 1, slot - 1, 1):
            raise Violation(f"the journal of {process.name} does not give its last slot")
        if journal.first:
            with suppress(LogCompacted):
                raise Violation(f"{process.name}: {journal.read(journal.first - 1, slot, 1)}")
        begins = [snapshot.position for snapshot in journal.snapshots]
        if begins and (journal.first > begins[0] or (begins[1:] and journal.first < begins[0])):
            raise Violation(
                f"the journal of {process.name} has snapshots of {begins}, "
                f"and its log begins at {journal.first}"
            )

    def medium(self, name: str) -> Medium:
        """Return what a node's journal lies on."""
        if not self._on_files:
            return MemoryMedium()
        return SqliteMedium(
            name,
            self.world.random(f"files {name}"),
            lambda: self._folder,
            lambda: self.processes[name].wall_clock(),
        )

    def new_machine(self, name: str) -> Watched:
        """Return the state machine of a node's next life."""
        self._machines[name] = Watched(self._machine(), self._padding)
        return self._machines[name]

    def look_up(self, name: str, key: str) -> bytes:
        """Read a key from a node's own state, as it is."""
        machine = self._machines[name].machine
        assert isinstance(machine, Store | Transactions)
        return machine.value(key)

    @property
    def log(self) -> Sequence[object]:
        """The longest log that was applied anywhere."""
        return self._prefix.log

    def leader(self) -> str | None:
        """Return who leads the log, as far as one node knows; of several the first."""
        for name, process in self.processes.items():
            if process.up and process.roles.proposer.serving:
                return name
        return None

    def believers(self, election: str) -> set[str]:
        """Return who believes to lead an election."""
        return {
            name
            for name, process in self.processes.items()
            if process.up and process.roles.office.holds(election, process.clock())
        }

    # What the parts report.

    def answered(self) -> None:
        """Count an operation that a client saw end."""
        self._answered += 1

    def record(self, client: str, operation: Operation) -> Handle | None:
        """Begin an operation in the clients' history, if it belongs there."""
        if operation.f == "command":
            return None
        recorder = self._linearizable.recorder
        return recorder.invoke(client, operation.f, operation.key, operation.value)

    def believed(self) -> None:
        """Tell the checker who believes to lead."""
        if self.wild_clocks:
            return
        for election in ELECTIONS:
            believers = []
            for name in self.believers(election):
                epoch = self.processes[name].roles.office.standings[election].epoch
                assert epoch is not None
                believers.append(Leadership(name, epoch, election))
            self.elections.believed(election, believers)

    def acted(self, leadership: Leadership) -> None:
        """Tell the checker that a leader uses the guarded resource."""
        self.elections.acted(leadership)

    def counted(self, what: str) -> None:
        """Count something that should happen now and then."""
        self.elections.counts[what] += 1

    def persisted(self, process: Process, records: Sequence[Record]) -> None:
        """Tell the checkers what is durable."""
        for checker in self.checkers:
            checker.persisted(process.name, records)

    def sent(self, process: Process, message: Message) -> None:
        """Tell the checkers what a node says."""
        for hear in self._hear_sent:
            hear(process.name, message)

    def turned(self, process: Process) -> None:
        """Tell the checkers that one of a node's roles has had its turn."""
        for hear in self._hear_turns:
            hear(process.name, process.roles)

    def happened(self, process: Process, event: Event) -> None:
        """Tell the checkers what a role reports."""
        for hear in self._hear_events:
            hear(process.name, event)

    def read_begun(self, process: Process, number: int) -> None:
        """Tell the checkers that a node's state shall be read."""
        for checker in self.checkers:
            checker.read_begun(process.name, number)

    def read_ready(self, process: Process, number: int) -> None:
        """Tell the checkers that it may be read."""
        for checker in self.checkers:
            checker.read_ready(process.name, number, process.roles.learner.learner.frontier)

    def applied(self, process: Process, applied: Applied) -> None:
        """Tell the checkers what took effect."""
        self.world.note(f"{process.name} applies slot {applied.slot}: {applied.value}")
        for checker in self.checkers:
            checker.applied(process.name, applied)

    def installed(self, process: Process, position: int) -> None:
        """Tell the checkers that a node jumped ahead."""
        self.world.note(f"{process.name} installs the snapshot of slot {position}")
        self.injected["install"] += 1
        for checker in self.checkers:
            checker.installed(process.name, position)

    def reached(self, process: Process) -> None:
        """Tell the checkers how far a node has come, and to which state."""
        position = process.roles.learner.learner.frontier
        # what the machine was asked and answered, and what the log decided beside that
        digest = self._machines[process.name].digest << 32 | process.roles.learner.state.checksum
        for checker in self.checkers:
            checker.reached(process.name, position, digest)

    def recovered(self, process: Process, records: Sequence[Record]) -> None:
        """Tell the checkers what a node's journal gives back."""
        for checker in self.checkers:
            checker.recovered(process.name, records)

    def restarted(self, process: Process) -> None:
        """Tell the checkers what a node's roles remember."""
        for checker in self.checkers:
            checker.restarted(process.name, process.roles)
        self.reached(process)

    def rested(self, process: Process) -> None:
        """Tell the checkers that a node has nothing to do."""
        for checker in self.checkers:
            checker.rested(process.name, process.roles)

    def crashed(self, process: Process) -> None:
        """Forget the machine of the life that ended."""
        self._machines.pop(process.name, None)

    def _deliver(self, source: str, target: str, message: Message) -> None:
        process = self.processes[target]
        if process.up:
            process.receive(source, message)
        elif not isinstance(message, Refused):
            self.network.refuse(target=target, source=source)
