"""A whole cluster in one thread, on virtual time, all of whose chance comes from one seed."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from attrs import frozen

from paxos.node.cluster import Timing
from paxos.protocol.messages import Message
from paxos.replicated.compaction import Compaction
from paxos.replicated.messages import Refused
from paxos.replicated.state import StateMachine
from paxos.replicated.values import Leadership
from paxos.testing.checkers import Recount, Violation
from paxos.testing.simulation.action import Plan
from paxos.testing.simulation.campaigner import ELECTIONS, Campaigner
from paxos.testing.simulation.charging import Provider
from paxos.testing.simulation.clients import Client
from paxos.testing.simulation.files import SqliteMedium
from paxos.testing.simulation.healing import Healing
from paxos.testing.simulation.jury import Jury
from paxos.testing.simulation.leases import LeaseWatch
from paxos.testing.simulation.media import Medium, MemoryMedium, memory_disk
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
        self.jury = Jury(self.quorums)
        self.leases = LeaseWatch(self)
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
        self._on_files = self.world.random("journals").random() < ON_FILES
        self.provider = Provider(self.jury.effects)
        with_transactions = self.world.random("machine").random() < TRANSACTIONS
        self._machine = machine or (Transactions if with_transactions else Store)
        self.commands = commands
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
            slots=len(self.jury.log),
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
                self.jury.audit(process.name, process.disk)
        self.jury.finished()

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

    def new_machine(self) -> Watched:
        """Return the state machine of a node's next life."""
        return Watched(self._machine(), self._padding)

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
            self.jury.elections.believed(election, believers)

    def _deliver(self, source: str, target: str, message: Message) -> None:
        process = self.processes[target]
        if process.up:
            process.receive(source, message)
        elif not isinstance(message, Refused):
            self.network.refuse(target=target, source=source)
