"""Clients that read, write, and compare and set; and the history of what they saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paxos.replicated.values import CLIENT_PREFIX, Command, Failure, Result, Session

if TYPE_CHECKING:
    from paxos.testing.simulation.simulation import Simulation

KEYS = 3
PATIENCE = (0.2, 1.0)
"""Seconds after which a client repeats its command, through another node."""

ATTEMPTS = 6
"""After so many, it gives up: the outcome is unknown."""

THINKING = (0.0, 0.05)
"""Seconds between an answer and the next command."""


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
        self._operation: tuple[str, str, Any] | None = None
        self._process = index

    def start(self) -> None:
        """Begin."""
        self._begin_after_thinking()

    def _begin_after_thinking(self) -> None:
        self._world.after(self._random.uniform(*THINKING), self._begin)

    def _begin(self) -> None:
        if not self._simulation.clients_work:
            return
        self._operation, command = self._draw()
        self._number += 1
        self._record("invoke", self._operation[2])
        self._try(self._number, command, 1)

    def _draw(self) -> tuple[tuple[str, str, Any], bytes]:
        """Draw an operation, and the command that carries it out."""
        random, simulation = self._random, self._simulation
        if simulation.commands is not None:
            return ("command", "", None), simulation.commands(random)
        key, dice = f"k{random.randrange(KEYS)}", random.random()
        simulation.values += 1
        value = str(simulation.values)
        if dice < 0.4:
            return ("read", key, None), f"r {key}".encode()
        if dice < 0.8:
            return ("write", key, value), f"w {key} {value}".encode()
        expected = str(max(0, simulation.values - random.randint(1, 6)))
        return ("cas", key, [expected, value]), f"c {key} {expected} {value}".encode()

    def _try(self, number: int, command: bytes, attempt: int) -> None:
        if number != self._number or self._operation is None:
            return
        if attempt > ATTEMPTS or (self._embedded and attempt > 1):
            self._give_up()
            return
        process = self._random.choice(list(self._simulation.processes.values()))
        life = self._life

        def answered(slot: int, result: Result | None) -> None:
            if not self._embedded and self._random.random() < self._simulation.network.weather.loss:
                return  # the answer is lost on its way, like anything else
            self._world.after(0.0005, self._answered, life, number, result)

        if self._embedded:
            process.submit_own(command, answered)
        else:
            name = f"{CLIENT_PREFIX}{self._index}-{self._life}"
            process.submit(Command(Session(name, 0), number, command), answered)
        wait = self._random.uniform(*PATIENCE) * (ATTEMPTS if self._embedded else 1)
        self._world.after(wait, self._try, number, command, attempt + 1)

    def _answered(self, life: int, number: int, result: Result | None) -> None:
        if life != self._life or number != self._number or self._operation is None:
            return
        f, _, value = self._operation
        if f == "command" and result is not None:
            self._record("ok", None)
        elif result is None or isinstance(result, Failure):
            self._give_up()
            return
        elif f == "read":
            self._record("ok", result.decode() or None)
        elif f == "cas" and result == b"no":
            self._record("fail", value)
        else:
            self._record("ok", value)
        self._operation = None
        self._simulation.answered()
        self._begin_after_thinking()

    def _give_up(self) -> None:
        assert self._operation is not None
        self._record("info", self._operation[2])
        self._operation = None
        self._life += 1
        self._number = 0
        self._process += 1000
        self._begin_after_thinking()

    def _record(self, kind: str, value: Any) -> None:
        assert self._operation is not None
        f, key, _ = self._operation
        if f == "command":
            return
        self._simulation.history.append(
            {"process": self._process, "type": kind, "f": f, "key": key, "value": value}
        )
