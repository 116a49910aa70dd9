"""The last part of a run: what must happen once a core of the nodes is whole."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Final

from paxos.replicated.values import CLIENT_PREFIX, Command, Result, Session
from paxos.testing.checkers import Violation
from paxos.testing.simulation.campaigner import ELECTIONS
from paxos.testing.simulation.clients import KEYS, Operation, end, read

if TYPE_CHECKING:
    from paxos.testing.simulation.simulation import Simulation

ELECTION_TIMEOUTS: Final = 4
"""How many election timeouts a healed core has to decide something."""

QUIET: Final = 1.5
"""A log that has not grown for so long has come to rest, in seconds: what waits to be sent again
waits for no longer."""

DETOURS: Final = 0.3
"""The share of runs that demand this."""

READMISSION: Final = 100
"""How many suspicions a node that has forgotten something may take until it votes again, when all
the others are there: it waits for up to 64 between two attempts."""


class Healing:
    """Heals a core that has a quorum, makes all else permanent, and demands progress in it."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._world = simulation.world
        self._random = simulation.world.random("core")
        self._timeout = 4 * simulation.timing.suspicion
        lost = simulation.nemesis.lost
        intact = [name for name in simulation.names if name not in lost]
        size = self._random.randint(simulation.quorums.size, len(intact))
        self._core = sorted(self._random.sample(intact, size))
        """What has a quorum of nodes that have forgotten nothing."""
        self._whole = bool(lost) and self._random.random() < 0.5
        """Whether all other nodes are healed, too, those that have forgotten something."""
        self._healed = set(simulation.names if self._whole else self._core)

    def check(self) -> None:
        """Demand everything, one thing after another."""
        simulation = self._simulation
        simulation.clients_work = False
        self._world.note(f"core: {self._core}{' and all others' if self._whole else ''}")
        simulation.nemesis.heal_core(self._healed, self._random)
        self._see_progress()
        self._see_answers()
        self._see_elections()
        if self._random.random() < DETOURS:
            self._see_detours()
        if self._whole:
            self._see_readmissions()
        self._see_rest()
        self._see_that_laggards_learn()

    def _until(self, seconds: float, missing: Callable[[], Collection[str]], what: str) -> None:
        """Let time pass until nothing is missing any more."""
        limit, names = self._world.now + seconds, missing()
        while names and self._world.now < limit:
            self._world.run_for(0.02)
            names = missing()
        if names:
            raise Violation(
                f"{what} {', '.join(sorted(names))} within {seconds:g} s after "
                f"{', '.join(self._core)} were healed"
            )

    def _see_progress(self) -> None:
        """Demand that clients can ask all there is through every node, one thing after another."""
        self._see_barriers()
        for number, operation in enumerate(self._questions(), 1):
            self._see_answered(operation, number)

    def _see_barriers(self) -> None:
        """Demand that every node's own state can be read."""
        waiting = set(self._core)
        for name in self._core:
            done = partial(waiting.discard, name)
            self._world.after(0.001, self._simulation.processes[name].barrier, done)
        self._until(ELECTION_TIMEOUTS * self._timeout, lambda: waiting, "no read at")

    def _see_answered(self, operation: Operation, number: int) -> None:
        """Demand that every node answers its client."""
        waiting: set[str] = set()
        for name in self._core:
            self._ask(name, f"core-{name}", operation, waiting, number)
        self._until(ELECTION_TIMEOUTS * self._timeout, lambda: waiting, "no progress at")

    def _questions(self) -> list[Operation]:
        """Return what a client asks to know all there is; of a user's machine, one command."""
        commands = self._simulation.commands
        if commands is None:
            return [read(key) for key in KEYS]
        return [Operation("command", "", None, commands(self._random))]

    def _ask(
        self, name: str, client: str, operation: Operation, waiting: set[str], number: int = 1
    ) -> None:
        """Let a client do something through a node; the node waits until the answer is known."""
        handle = self._simulation.jury.record(client, operation)
        waiting.add(name)

        def answer(slot: int, result: Result | None) -> None:
            if end(handle, operation.f, result):
                waiting.discard(name)

        command = Command(Session(CLIENT_PREFIX + client, 0), number, operation.command)
        # after the turn in which a healed node starts
        self._world.after(0.001, self._simulation.processes[name].submit, command, answer)

    def _see_answers(self) -> None:
        """Demand that all which was under way when the core was healed has come to an end."""
        processes = [self._simulation.processes[name] for name in self._core]
        due = {process.name: (process.life, process.unanswered()) for process in processes}

        def missing() -> list[str]:
            return [
                process.name
                for process in processes
                if process.life == due[process.name][0]
                and process.unanswered() & due[process.name][1]
            ]

        self._until(ELECTION_TIMEOUTS * self._timeout, missing, "commands or reads have no end at")

    def _see_detours(self) -> None:
        """Demand that a node which its leader does not hear gets through to it all the same."""
        leader = self._simulation.leader()
        if leader not in self._core or len(self._core) == self._simulation.quorums.size:
            return  # or else the leader would lose its quorum
        name = self._random.choice([name for name in self._core if name != leader])
        process, cut = self._simulation.processes[name], self._simulation.network.weather.cut
        cut.add((name, leader))
        waiting = {"reader"}
        self._ask(name, "detour", self._questions()[0], waiting)
        self._world.after(0.001, process.barrier, lambda: waiting.discard("reader"))
        self._until(ELECTION_TIMEOUTS * self._timeout, lambda: waiting, "no detour for")
        cut.remove((name, leader))

    def _see_elections(self) -> None:
        """Demand that the core leads in each election, whoever led before.

        A slow disk may end with this: where the log's leader is out of the core and takes longer
        for a vote than a lease lasts, nobody can keep one.
        """
        for process in self._simulation.processes.values():
            process.disk.slowness = 1.0
        timing = self._simulation.timing
        leases = 2 * timing.lease * (1 + timing.drift)
        missing = set(ELECTIONS)

        def nobody_leads() -> set[str]:
            missing.difference_update(
                {each for each in missing if self._simulation.believers(each) & set(self._core)}
            )
            return missing

        self._until(leases + ELECTION_TIMEOUTS * self._timeout, nobody_leads, "nobody leads")

    def _see_readmissions(self) -> None:
        """Demand that a node votes that has forgotten something and is not kept down for good.

        Two such nodes wait for one another, and one waits for whoever is down for good, which only
        a person can end.
        """
        processes = self._simulation.processes

        def missing() -> list[str]:
            up = {name: p.roles.admission for name, p in processes.items() if p.up}
            doubted = [name for name, admission in up.items() if admission.doubt]
            waiting = [name for name, admission in up.items() if not admission.admitted]
            helped = len(doubted) == 1 and len(up) == len(processes)
            return [name for name in waiting if helped or name not in doubted]

        self._until(READMISSION * self._simulation.timing.suspicion, missing, "not readmitted:")

    def _see_rest(self) -> None:
        """Demand that the log comes to rest when nobody wants anything any more.

        A node out of the core that hears nobody would send its commands again for ever, and so
        would one whose journal has failed while it lacks a snapshot.
        """
        simulation = self._simulation
        for name, process in simulation.processes.items():
            if name not in self._healed or (process.up and process.roles.failure):
                process.crash()
        simulation.campaigners_work = False
        for campaigner in simulation.campaigners.values():
            campaigner.stop()
        last = [len(simulation.jury.log), self._world.now]

        def missing() -> list[str]:
            if len(simulation.jury.log) > last[0]:
                last[:] = [len(simulation.jury.log), self._world.now]
            return [] if self._world.now > last[1] + QUIET else ["rest"]

        longest = 2 * simulation.timing.lease + QUIET + ELECTION_TIMEOUTS * self._timeout
        self._until(longest, missing, "the log does not come to")
        for name in self._core:
            simulation.jury.rested(name, simulation.processes[name].roles)
        if simulation.leader() in self._core:
            self._see_that_marks_are_known()

    def _see_that_marks_are_known(self) -> None:
        """See that each node knows how far the others' journals are, as the leader passes on.

        By that alone a node is kept from voting whose whole disk has gone back.
        """
        named = self._simulation.processes.items()
        processes = {n: p for n, p in named if n in self._healed and p.up}

        def wrong() -> list[str]:
            found = []
            for name, process in processes.items():
                for other in [other for other in processes if other != name]:
                    known = process.roles.admission.remember(other)
                    mark = processes[other].disk.journal.mark
                    if processes[other].roles.admission.voting and known != mark:
                        found.append(f"{name} takes the journal of {other} for {known}, not {mark}")
            return found

        self._until(ELECTION_TIMEOUTS * self._timeout, wrong, "marks are not known:")

    def _see_that_laggards_learn(self) -> None:
        """Decide one thing more, of which only its leader hears: then it must tell the others."""
        simulation = self._simulation
        leader = simulation.leader()
        if leader not in self._core:
            return
        simulation.network.weather.filtered = {"Chosen"}
        waiting: set[str] = set()
        self._ask(leader, "last", self._questions()[0], waiting)
        self._until(ELECTION_TIMEOUTS * self._timeout, lambda: waiting, "no answer to")
        length = len(simulation.jury.log)

        def missing() -> list[str]:
            return [name for name in self._core if self._frontier(name) < length]

        self._until(ELECTION_TIMEOUTS * self._timeout, missing, "laggards:")

    def _frontier(self, name: str) -> int:
        process = self._simulation.processes[name]
        return process.roles.learner.learner.frontier if process.up else 0
