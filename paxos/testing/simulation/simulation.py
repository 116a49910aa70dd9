"""A whole cluster in one thread, on virtual time, all of whose chance comes from one seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from attrs import frozen

from paxos.node.cluster import Timing
from paxos.protocol.messages import Message
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Record
from paxos.replicated.state import Applied, StateMachine
from paxos.replicated.values import CLIENT_PREFIX, Command, Result, Session
from paxos.testing.checkers import (
    Agreement,
    AtMostOnce,
    Checker,
    EqualState,
    Memory,
    OneLeaderPerEpoch,
    Prefix,
    Violation,
)
from paxos.testing.simulation.clients import Client
from paxos.testing.simulation.nemesis import Nemesis
from paxos.testing.simulation.network import Network
from paxos.testing.simulation.plan import Plan, draw_plan
from paxos.testing.simulation.process import Process
from paxos.testing.simulation.store import Store, Watched
from paxos.testing.simulation.world import World

ELECTION_TIMEOUTS = 4
"""How many election timeouts a healed core has to decide something."""


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
        machine: Makes the state machine of each life of each node.
        commands: Draws a client's next command for the machine; without it clients read, write,
            and compare and set, and their history is checked for linearizability.
        clients: How many clients.
        duration: Seconds of virtual time with faults, before the core is healed.
        plan: Which faults; drawn from the seed if it is not given.
        keep_trace: Whether `World.lines` is kept.
        window: How many slots may be in flight; few, so that full windows are met.

    """

    def __init__(
        self,
        seed: int,
        nodes: int = 3,
        *,
        machine: Callable[[], StateMachine] = Store,
        commands: Callable[[Random], bytes] | None = None,
        clients: int = 4,
        duration: float = 4.0,
        plan: Plan | None = None,
        keep_trace: bool = False,
        window: int = 8,
    ) -> None:
        self.world = World(seed, keep_trace=keep_trace)
        self.names = tuple(f"node{number}" for number in range(1, nodes + 1))
        self.quorums = Majority(self.names)
        self.timing = Timing()
        self.window = window
        self.duration = duration
        self.injected: Counter[str] = Counter()
        self.history: list[dict[str, Any]] = []
        self.values = 0
        self.clients_work = True
        self.network = Network(self.world, self.names, self._deliver)
        self.checkers: tuple[Checker, ...] = (
            Agreement(self.quorums),
            Memory(),
            Prefix(),
            EqualState(),
            OneLeaderPerEpoch(),
            AtMostOnce(),
        )
        self._machine = machine
        self.commands = commands
        self._machines: dict[str, Watched] = {}
        self.processes = {name: Process(self, name) for name in self.names}
        self.nemesis = Nemesis(self)
        self.plan = (
            draw_plan(self.world.random("plan"), self.names, duration) if plan is None else plan
        )
        self._clients = [Client(self, index) for index in range(clients)]
        self._answered = 0

    def run(self) -> Outcome:
        """Run to the end, or to the first violation."""
        violation = ""
        try:
            self._run()
        except Violation as error:
            violation = str(error)
            self.world.note(f"VIOLATION: {violation}")
        prefix = next(c for c in self.checkers if isinstance(c, Prefix))
        return Outcome(
            seed=self.world.seed,
            events=self.world.events,
            answered=self._answered,
            slots=len(prefix.log),
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
        self._check_liveness()
        self._check_history()

    def _check_liveness(self) -> None:
        """Heal a core that has a quorum, make all else permanent, and demand progress."""
        random = self.world.random("core")
        intact = [name for name in self.names if name not in self.nemesis.lost]
        core = set(random.sample(intact, random.randint(self.quorums.size, len(intact))))
        self.clients_work = False
        self.world.note(f"core: {sorted(core)}")
        self.nemesis.heal_core(core, random)
        done: set[str] = set()
        for name in sorted(core):
            session = Session(f"{CLIENT_PREFIX}core-{name}", 0)
            data = b"w core 0" if self.commands is None else self.commands(random)
            self._demand(name, Command(session, 1, data), done)
        timeout = 4 * self.timing.suspicion
        limit = self.world.now + ELECTION_TIMEOUTS * timeout
        while self.world.now < limit and done != core:
            self.world.run_until(self.world.now + 0.05)
        if done != core:
            raise Violation(
                f"no progress at {', '.join(sorted(core - done))} within {ELECTION_TIMEOUTS} "
                f"election timeouts of {timeout:g} s after {', '.join(sorted(core))} were healed"
            )

    def _demand(self, name: str, command: Command, done: set[str]) -> None:
        def answer(slot: int, result: Result | None) -> None:
            done.add(name)

        # after the turn in which a healed node starts
        self.world.after(0.001, self.processes[name].submit, command, answer)

    def _check_history(self) -> None:
        """See that the clients' history is linearizable."""

    def new_machine(self, name: str) -> Watched:
        """Return the state machine of a node's next life."""
        self._machines[name] = Watched(self._machine())
        return self._machines[name]

    # What the parts report.

    def answered(self) -> None:
        """Count an operation that a client saw end."""
        self._answered += 1

    def persisted(self, process: Process, records: Sequence[Record]) -> None:
        """Tell the checkers what is durable."""
        for checker in self.checkers:
            checker.persisted(process.name, records)

    def applied(self, process: Process, applied: Applied) -> None:
        """Tell the checkers what took effect."""
        self.world.note(f"{process.name} applies slot {applied.slot}: {applied.value}")
        for checker in self.checkers:
            checker.applied(process.name, applied)

    def reached(self, process: Process) -> None:
        """Tell the checkers how far a node has come, and to which state."""
        position = process.roles.learner.learner.frontier
        digest = self._machines[process.name].digest
        for checker in self.checkers:
            checker.reached(process.name, position, digest)

    def restarted(self, process: Process) -> None:
        """Tell the checkers what a node remembers."""
        roles = process.roles
        for checker in self.checkers:
            checker.restarted(process.name, roles.acceptor, roles.learner.learner.frontier)
        self.reached(process)

    def crashed(self, process: Process) -> None:
        """Forget the machine of the life that ended."""
        self._machines.pop(process.name, None)

    def _deliver(self, source: str, target: str, message: Message) -> None:
        self.processes[target].receive(source, message)
