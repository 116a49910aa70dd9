"""A term: one leadership of this node, from its election until its work has stopped."""

from __future__ import annotations

from typing import Final, Protocol

import trio

from paxos.errors import ElectionRefused, LeadershipLost
from paxos.node.clock import Clock
from paxos.replicated.decrees import Decree, Ruling, Void
from paxos.replicated.election_decrees import Proclaim
from paxos.replicated.office import Office
from paxos.replicated.standing import Loss
from paxos.replicated.values import Leadership

WHY: Final = {
    Loss.EXPIRED: "its lease ended before a renewal was decided",
    Loss.RESIGNED: "it has resigned",
    Loss.DEPOSED: "it is to be handed over to another candidate",
    Loss.DISCONNECTED: "its lease ended while no leader of the log was to be reached",
    Loss.STALLED: "this process did not run for most of a lease, or was busy without a checkpoint",
}


class Owner(Protocol):
    """What a term asks of its node."""

    closing: bool
    """Whether the node is being closed, or has failed."""

    def check_value(self, value: bytes) -> None:
        """Raise what is wrong with a value to proclaim, if anything is."""

    async def decree(self, decree: Decree) -> Ruling:
        """Have a decree decided. Raises `OutcomeUnknown`."""
        ...


class Term:
    """One leadership of this node. Comes from `Election.lead`.

    It is over as soon as it cannot be sure any more, by this machine's own clock; the block's body
    is then cancelled. Before anything that must not be done twice, call `check`; and give `epoch`
    to whatever is asked to do it, since the process may be stopped between the two.
    """

    def __init__(self, owner: Owner, office: Office, clock: Clock, leadership: Leadership) -> None:
        self.leadership = leadership
        """What was decided: ``leader=node1, epoch=7``."""
        self.scope = trio.CancelScope()
        """What the body of the term runs in."""
        self.over = trio.Event()
        """Set when the term is resigned, after its body."""
        self.resigned = False
        """Whether `resign` was called while it lasted."""
        self._owner = owner
        self._office = office
        self._clock = clock
        self._loss: Loss | None = None
        self._why = ""

    def __repr__(self) -> str:
        return f"<Term of {self.leadership.election}: {self.leadership}>"

    @property
    def epoch(self) -> int:
        """The fencing token: the number of this leadership, constant as long as it lasts."""
        return self.leadership.epoch

    @property
    def valid_until(self) -> float:
        """When the term ends unless it is renewed, as `trio.current_time` counts.

        A renewal moves it, a loss does not: `check` tells.
        """
        return self._office.lease.until - self._clock.asleep()

    @property
    def loss(self) -> Loss | None:
        """Why the term is over; None while it lasts. It costs a look at the clock."""
        if self._loss is None:
            loss = self._office.loss(self.leadership.election, self.epoch, self._clock.now())
            if loss is not None:
                self._note(loss)
        return self._loss

    def check(self) -> None:
        """Return if this node still leads by its own clock; cheap, and allowed in any thread.

        Raises:
            LeadershipLost: The term is over; ``reason`` says why.

        """
        if self.loss is not None:
            raise self.error()

    async def proclaim(self, value: bytes) -> None:
        """Let every observer see another value; the epoch stays.

        Raises:
            ElectionRefused: The value is too long.
            LeadershipLost: The term is over.
            OutcomeUnknown: The node was closed meanwhile.

        """
        self._owner.check_value(value)
        self.check()
        proclaim = Proclaim(self.leadership.election, self.epoch, bytes(value))
        if isinstance(await self._owner.decree(proclaim), Void):
            self.check()
            raise LeadershipLost(f"{self._name}: others have decided that it is over", "expired")

    async def resign(self) -> None:
        """End the body of the term, and then the term. A second time, it changes nothing.

        Inside the body it does not return: the body is cancelled here. The block itself ends
        without an error.
        """
        self.resigned = self.resigned or self.loss is None
        self.lose(Loss.RESIGNED)
        await self.over.wait()

    def lose(self, loss: Loss) -> None:
        """Note why the term is over, and cancel its body. Only in Trio's thread."""
        self._note(loss)
        self.scope.cancel()

    def give_up(self) -> None:
        """Note that it is to end although it lasts, and cancel its body. Only in Trio's thread."""
        self.lose(Loss.RESIGNED)

    def stall(self) -> None:
        """Note that Trio's loop does not run, so that nothing can cancel the body."""
        self._note(Loss.STALLED)

    def lose_in_fork(self, process: int) -> None:
        """Note that this process is a fork of the one that leads."""
        self._loss = Loss.DISCONNECTED
        self._why = f"this is a fork of process {process}, which may lead on"

    def _note(self, loss: Loss) -> None:
        if self._loss is None:
            self._why = "its node was closed" if self._owner.closing else WHY[loss]
            self._loss = loss

    def error(self) -> LeadershipLost:
        """Return the error that says why the term is over."""
        assert self._loss is not None
        return LeadershipLost(f"{self._name} is over: {self._why}", self._loss.value)

    @property
    def _name(self) -> str:
        return f"the term of {self.leadership.election}, {self.leadership},"


def check_value(value: bytes, most: int) -> None:
    """Raise `ElectionRefused` for a value that is too long, TypeError for one that is not bytes."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(f"a value to proclaim is bytes, not {type(value).__name__}")
    if len(value) > most:
        raise ElectionRefused(
            f"a value of {len(value):,} bytes was refused: the most is {most:,}; store the data "
            "elsewhere and proclaim a reference to it"
        )
