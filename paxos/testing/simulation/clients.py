"""Clients that read, write, and compare and set; and the history of what they saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from paxos.replicated.decrees import Ruling
from paxos.replicated.values import CLIENT_PREFIX, Command, Failure, Result, Session
from paxos.testing.linearizability import Handle
from paxos.testing.simulation.store import look_up

if TYPE_CHECKING:
    from paxos.testing.simulation.simulation import Simulation

KEYS = ("k0", "k1", "k2")
PATIENCE = (0.2, 1.0)
"""Seconds after which a client repeats its command, through another node."""

ATTEMPTS = 6
"""After so many, it gives up: the outcome is unknown."""


@frozen
class Operation:
    """What a client asks: for its history, and as a command for the state machine."""

    f: str
    """``read``, ``write``, ``cas``, or ``command``, which is in no history."""
    key: str
    value: Any
    command: bytes
    local: bool = False
    """Whether a node's own state is read, after a barrier, instead of applying the command."""
    lease: bool = False
    """Whether a lease will do for that barrier."""


def read(key: str, *, local: bool = False, lease: bool = False) -> Operation:
    """Return the operation that reads a key."""
    return Operation("read", key, None, f"r {key}".encode(), local, lease)


def end(handle: Handle | None, f: str, result: Result | None) -> bool:
    """Write down how an operation ended; tell whether that is known."""
    if handle is None:
        return result is not None
    if result is None or isinstance(result, Failure):
        handle.info()
        return False
    if f == "cas" and result == b"no":
        handle.fail()
    else:
        handle.ok(result.decode() or None)
    return True


class Client:
    """One process of the history: one operation at a time, repeated until it is answered.

    Half of the clients are applications that embed a node: their command dies with the node, and
    is not repeated. A client whose operation has an unknown outcome begins anew under a new name.
    """

    def __init__(self, simulation: Simulation, index: int) -> None:
        self._simulation = simulation
        self._world = simulation.world
        self._index = index
        self._embedded = index % 2 == 1
        self._random = simulation.world.random(f"client {index}")
        self._life = 0
        self._number = 0
        self._operation: Operation | None = None
        self._handle: Handle | None = None
        self._seen = dict.fromkeys(KEYS, "")

    def start(self) -> None:
        """Begin."""
        self._begin_after_thinking()

    def _begin_after_thinking(self) -> None:
        self._world.after(self._random.uniform(0.0, self._simulation.thinking), self._begin)

    def _begin(self) -> None:
        if not self._simulation.clients_work:
            return
        self._operation = operation = self._draw()
        self._number += 1
        self._handle = self._simulation.jury.record(f"{self._index}", operation)
        self._try(self._number, 1)

    def _draw(self) -> Operation:
        random, simulation = self._random, self._simulation
        if simulation.commands is not None:
            return Operation("command", "", None, simulation.commands(random))
        key, dice = random.choice(KEYS), random.random()
        if dice < 0.4:
            lease = dice < 0.15 and simulation.timing.lease_reads and not simulation.wild_clocks
            return read(key, local=dice < 0.2, lease=lease)
        simulation.values += 1
        value = str(simulation.values)
        if dice < 0.7:
            return Operation("write", key, value, f"w {key} {value}".encode())
        expected = self._seen[key]
        command = f"c {key} {expected} {value}".encode()
        return Operation("cas", key, [expected or None, value], command)

    def _try(self, number: int, attempt: int) -> None:
        if number != self._number or self._operation is None:
            return
        if attempt > ATTEMPTS or (self._embedded and attempt > 1):
            self._end(None)
            return
        process = self._random.choice(list(self._simulation.processes.values()))
        life = self._life

        def answered(slot: int, result: Result | Ruling | None) -> None:
            if not self._embedded and self._random.random() < self._simulation.network.weather.loss:
                return  # the answer is lost on its way, like anything else
            self._world.after(0.0005, self._answered, life, number, result)

        if self._operation.local:
            key = self._operation.key
            process.barrier(
                lambda: answered(0, look_up(process.machine, key)),
                lease=self._operation.lease,
            )
        elif self._embedded:
            process.submit_own(self._operation.command, answered)
        else:
            name = f"{CLIENT_PREFIX}{self._index}-{self._life}"
            command = Command(Session(name, 0), number, self._operation.command)
            process.submit(command, answered)
        wait = self._random.uniform(*PATIENCE) * (ATTEMPTS if self._embedded else 1)
        self._world.after(wait, self._try, number, attempt + 1)

    def _answered(self, life: int, number: int, result: Result | Ruling | None) -> None:
        assert not isinstance(result, Ruling)
        if life == self._life and number == self._number and self._operation is not None:
            self._end(result)

    def _end(self, result: Result | None) -> None:
        """Note the outcome; None where it is unknown. Then go on."""
        operation, self._operation = self._operation, None
        assert operation is not None
        if end(self._handle, operation.f, result):
            self._simulation.answered()
            if operation.f == "read" and isinstance(result, bytes):
                self._seen[operation.key] = result.decode()
        else:
            self._life += 1
            self._number = 0
        self._begin_after_thinking()
