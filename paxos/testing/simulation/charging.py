"""What a leader does outside of the log, once for each key; and the outside world."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import define, field

from paxos.replicated.decrees import Ruling
from paxos.replicated.effect_decrees import Conclude, Concluded, Intend, Intended
from paxos.replicated.values import Leadership, Result
from paxos.testing.checkers import EffectsOnce

if TYPE_CHECKING:
    from paxos.testing.simulation.process import Process
    from paxos.testing.simulation.simulation import Simulation

PERIOD: Final = 0.3
"""Every so often a new effect is due in each election, in seconds."""

RETENTION: Final = 1
"""For how long outcomes are kept, in seconds."""

THINKING: Final = (0.0, 0.02)
"""Seconds between one step of an effect and the next."""


@define
class Provider:
    """Causes effects for whoever leads; it is not idempotent, but refuses older epochs."""

    checker: EffectsOnce
    receipts: dict[tuple[str, str], bytes] = field(factory=dict)
    _epochs: dict[str, int] = field(factory=dict)
    """By election, the newest epoch of which it has heard."""
    _positions: dict[tuple[str, str], int] = field(factory=dict)

    def since(self, name: str, key: str, position: int) -> int:
        """Return the position of the node that was the first to think of an effect."""
        return self._positions.setdefault((name, key), position)

    def knows(self, name: str, epoch: int) -> bool:
        """Hear an epoch; tell whether it is the newest."""
        newest = self._epochs[name] = max(epoch, self._epochs.get(name, 0))
        return epoch == newest

    def act(self, name: str, key: str, epoch: int) -> bytes | None:
        """Cause an effect and return its receipt, or None where the epoch is an older one."""
        if not self.knows(name, epoch):
            return None
        receipt = self.receipts[name, key] = f"{key} in epoch {epoch}".encode()
        self.checker.caused(name, key, receipt)
        return receipt


class Charge:
    """One attempt of a leader to cause one effect, as `paxos.node.effects` makes it.

    It may end at any step, with the node or with the term.
    """

    def __init__(self, simulation: Simulation, process: Process, leadership: Leadership) -> None:
        self._simulation = simulation
        self._process = process
        self._random = simulation.world.random(f"charge {process.name} {simulation.world.now}")
        self._leadership = leadership
        self._name, self._epoch = leadership.election, leadership.epoch
        due = int(simulation.world.now / PERIOD)
        key = due if self._random.random() < 0.5 else self._random.randint(0, due)
        self._key = str(key)
        self.over = False

    def start(self) -> None:
        """Have the intent decided."""
        provider, position = self._simulation.provider, self._process.roles.learner.state.position
        since = provider.since(self._name, self._key, position)
        if self._random.random() < 0.5:
            since = -1
        intend = Intend(self._name, self._key, self._epoch, since, RETENTION)
        self._process.submit_own(intend, self._intended)

    def _intended(self, slot: int, ruling: Result | Ruling | None) -> None:
        if isinstance(ruling, Intended):
            self._simulation.jury.effects.intended(self._leadership, slot)
        match ruling:
            case Intended(attempted=True):
                self._soon(self._ask)
            case Intended():
                self._soon(self._act)
            case Concluded(outcome):
                self._simulation.jury.effects.concluded(self._name, self._key, outcome)
                self.over = True
            case _:
                self.over = True

    def _soon(self, step: Callable[[], None]) -> None:
        self._process.later(self._random.uniform(*THINKING), step)

    def _ask(self) -> None:
        """Ask the provider under the new epoch; from then on no older one can act."""
        provider = self._simulation.provider
        self._simulation.injected["reconciled"] += 1
        if not provider.knows(self._name, self._epoch):
            self.over = True
            return
        receipt = provider.receipts.get((self._name, self._key))
        if receipt is None:
            self._soon(self._act)
        else:
            self._soon(lambda: self._conclude(receipt))

    def _act(self) -> None:
        receipt = self._simulation.provider.act(self._name, self._key, self._epoch)
        if receipt is None:
            self.over = True
            return
        self._simulation.injected["effect"] += 1
        self._soon(lambda: self._conclude(receipt))

    def _conclude(self, receipt: bytes) -> None:
        at = int(self._process.wall_clock())
        conclude = Conclude(self._name, self._key, receipt, max(0, at))
        self._process.submit_own(conclude, self._concluded)

    def _concluded(self, slot: int, ruling: Result | Ruling | None) -> None:
        if isinstance(ruling, Concluded):
            self._simulation.jury.effects.concluded(self._name, self._key, ruling.outcome)
        self.over = True
