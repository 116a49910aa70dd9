"""What ``paxos elect`` does: stand, run the command while leading, and stand again."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio
from attrs import define, field, frozen

import paxos
from paxos.cli.ward import Ward, lease_end, open_ward
from paxos.machines import KeyValue
from paxos.node.cluster import Cluster
from paxos.node.serving import Speaker, heeded

STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
FORWARDED: Final = (
    *STOPPING,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
"""Signals that are passed on to the command; the first two end ``paxos elect``, too."""

RENEWALS: Final = 20
"""How often during a lease the guardian hears how long it lasts."""


@frozen
class Plan:
    """What is to be done."""

    election: str
    cluster: Cluster
    node: str
    data: Path
    command: tuple[str, ...]
    priority: int
    grace: float
    pause: float
    patience: float
    once: bool


@define
class Supervisor:
    """Stands in the election again and again, and runs the command meanwhile."""

    plan: Plan
    say: Callable[[str], None]
    """Tells people what happens; standard output is the command's."""
    asked: int = 0
    """The signal that asked to end; 0 while there was none."""
    _ward: Ward | None = None
    """While the command runs."""
    _waiting: trio.CancelScope = field(factory=trio.CancelScope)
    """Around whatever need not go on when asked to end."""

    async def run(self) -> int:
        """Work until told to end; return the exit status."""
        for number in STOPPING:
            # what the receiver restores at its end: a second signal is harmless while all closes
            signal.signal(number, signal.SIG_IGN)
        plan = self.plan
        with trio.open_signal_receiver(*heeded(FORWARDED)) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hear, signals)
                async with paxos.open_node(
                    plan.cluster,
                    plan.node,
                    data=plan.data,
                    machine=KeyValue(),
                    instruments=(Speaker(self.say),),
                ) as node:
                    status = await self._campaign(node.election(plan.election))
                nursery.cancel_scope.cancel()
        return status

    async def _hear(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            first = number in STOPPING and not self.asked
            if first:
                self.asked = number
            if self._ward is None:
                if first:
                    self._waiting.cancel()
            elif first:
                await self._ward.stop(number, self.plan.patience)
            else:
                await self._ward.signal(number)

    async def _campaign(self, election: paxos.Election) -> int:
        plan = self.plan
        name, once = plan.command[0], plan.once
        status: int | None = None
        while not self.asked:
            self.say(f"{plan.node} stands in the election {election.name}")
            async with open_ward() as ward:  # it is ready by the time the election is won
                await self._stand(election, ward)
            if ward.left:
                self.say(f"{ward.left} processes that {name} has started could not be ended")
            status = ward.status
            if status is None or ward.ending:
                continue
            self.say(f"{name} has ended by itself, {_words(status)}")
            if once:
                return _exit_status(status)
            with self._unless_asked():
                await trio.sleep(plan.pause)
        if not once:
            return 0
        return _exit_status(-self.asked if status is None else status)

    async def _stand(self, election: paxos.Election, ward: Ward) -> None:
        """Wait to be elected, and run the command until it or the term has ended."""
        try:
            with self._unless_asked():
                async with election.lead(priority=self.plan.priority) as term:
                    try:
                        await self._guard(ward, term)
                    finally:
                        self._ward = None
                        await ward.end()  # before the term is resigned
        except paxos.LeadershipLost as lost:
            ward.ending = True
            self.say(str(lost))

    async def _guard(self, ward: Ward, term: paxos.Term) -> None:
        plan = self.plan
        self.say(f"{term.leadership}: running {plan.command[0]}")
        environment = {
            "PAXOS_EPOCH": str(term.epoch),
            "PAXOS_LEADER": term.leadership.leader,
            "PAXOS_ELECTION": term.leadership.election,
        }
        self._ward = ward  # before the command can say that it runs
        await ward.run(plan.command, environment, plan.grace, lease_end(term))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._renew, ward, term)
            await ward.ended()
            nursery.cancel_scope.cancel()

    async def _renew(self, ward: Ward, term: paxos.Term) -> None:
        lease = self.plan.cluster.timing.lease
        told = 0.0
        while True:
            until = lease_end(term)
            if until > told + lease / RENEWALS:
                told = until
                await ward.renew(until)
            await trio.sleep(lease / RENEWALS)

    @contextmanager
    def _unless_asked(self) -> Iterator[None]:
        """Let what is inside be cancelled by the wish to end, unless a command runs."""
        with trio.CancelScope() as self._waiting:
            if self.asked:
                self._waiting.cancel()
            yield


def _exit_status(status: int) -> int:
    return 128 - status if status < 0 else status


def _words(status: int) -> str:
    if status < 0:
        return f"by signal {signal.Signals(-status).name}"
    return f"with status {status}"
