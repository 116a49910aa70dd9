"""One process of a failover drill: a node, its client, and a diary of what both saw."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import trio
from attrs import frozen

import paxos
from benchmarks.nothing import Nothing
from paxos.demo.cable import Cable
from paxos.journal import JournalError
from paxos.node.instrument import Instrument
from paxos.protocol.events import Event
from paxos.replicated.events import LeaderSuspected
from paxos.replicated.values import Leadership
from paxos.transport import open_udp

THINKING = 0.001
"""Seconds between an answer and the client's next command."""

TICK = 0.01
"""Seconds between two looks at how late a timer is."""

ELECTION = "drill"

PATIENCE = 20.0
"""Seconds within which a process must answer."""


@frozen
class Cut:
    """Lose all that is sent and received from now on, or end that."""

    cut: bool


@frozen
class Stop:
    """Leave the cluster in an orderly way."""


@frozen
class Drive:
    """Propose with so many in flight; what is answered to one alone is noted, else counted."""

    inflight: int


@frozen
class Stand:
    """Stand in an election, and hold what is won."""


@frozen
class Tell:
    """Ask for `Diary`."""


@frozen
class Diary:
    """What one process saw, with times of the machine's monotonic clock in seconds."""

    leaderships: tuple[tuple[float, Leadership | None], ...] = ()
    answers: tuple[float, ...] = ()
    """When the commands of a client that has one in flight were answered."""
    answered: int = 0
    """How many commands were."""
    suspicions: int = 0
    terms: tuple[tuple[float, int], ...] = ()
    """When this process was elected in the election in which it stands, and the epochs."""
    ends: tuple[int, ...] = ()
    """The epochs that it has lost by itself."""
    late: float = 0.0
    """By how much a timer of the process was late, at most: how long its loop stood still."""


class Participant:
    """The parent's end of the pipe."""

    def __init__(self, cluster: paxos.Cluster, name: str, data: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=run, args=(cluster, name, data, theirs), name=name, daemon=True
        )
        self._process.start()
        theirs.close()

    def ask(self, request: Cut | Stop | Drive | Stand) -> None:
        """Have it do something."""
        self._pipe.send(request)

    def tell(self) -> Diary:
        """Return what it saw since it was last asked."""
        self._pipe.send(Tell())
        if not self._pipe.poll(PATIENCE):
            raise TimeoutError(f"{self.name} does not answer")
        diary = self._pipe.recv()
        assert isinstance(diary, Diary)
        return diary

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join(PATIENCE)
        self._pipe.close()


class _Diarist(Instrument):
    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.leaderships: list[tuple[float, Leadership | None]] = []
        self.answers: list[float] = []
        self.answered = 0
        self.suspicions = 0
        self.terms: list[tuple[float, int]] = []
        self.ends: list[int] = []
        self.late = 0.0

    def event(self, event: Event) -> None:
        self.suspicions += isinstance(event, LeaderSuspected)

    def leader_changed(self, leadership: Leadership | None) -> None:
        self.leaderships.append((time.monotonic(), leadership))

    def journal_failed(self, error: JournalError) -> None:
        raise error

    async def tick(self) -> None:
        while True:
            due = trio.current_time() + TICK
            await trio.sleep_until(due)
            self.late = max(self.late, trio.current_time() - due)

    def take(self) -> Diary:
        diary = Diary(
            tuple(self.leaderships),
            tuple(self.answers),
            self.answered,
            self.suspicions,
            tuple(self.terms),
            tuple(self.ends),
            self.late,
        )
        self._begin()
        return diary


def run(cluster: paxos.Cluster, name: str, data: Path, pipe: Connection) -> None:
    """Take part: what the process does, until it is told to stop or killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    trio.run(_take_part, cluster, name, data, pipe)


async def _take_part(cluster: paxos.Cluster, name: str, data: Path, pipe: Connection) -> None:
    member, diarist = cluster.member(name), _Diarist()
    udp = await open_udp(member.host, member.port, cluster.datagram_limit)
    transport = Cable(udp)
    opened = paxos.open_node(
        cluster,
        name,
        data=data,
        machine=Nothing(),
        transport=transport,
        instruments=(diarist,),
    )
    async with opened as node, trio.open_nursery() as nursery:
        nursery.start_soon(diarist.tick)
        while True:
            await trio.lowlevel.wait_readable(pipe.fileno())
            try:
                request = pipe.recv()
            except EOFError:
                return
            match request:
                case Tell():
                    pipe.send(diarist.take())
                case Cut(cut):
                    transport.pulled = cut
                case Drive(inflight):
                    client = _propose_thoughtfully if inflight == 1 else _propose
                    for _ in range(inflight):
                        nursery.start_soon(client, node, diarist)
                case Stand():
                    nursery.start_soon(_stand, node, diarist)
                case Stop():
                    nursery.cancel_scope.cancel()
                    return


async def _stand(node: paxos.Node, diarist: _Diarist) -> None:
    while True:
        with suppress(paxos.LeadershipLost):
            async with node.election(ELECTION).lead() as term:
                diarist.terms.append((time.monotonic(), term.epoch))
                try:
                    await trio.sleep_forever()
                finally:
                    diarist.ends.append(term.epoch)


async def _propose_thoughtfully(node: paxos.Node, diarist: _Diarist) -> None:
    while True:
        await node.propose(b"x" * 100)
        diarist.answers.append(time.monotonic())
        diarist.answered += 1
        await trio.sleep(THINKING)


async def _propose(node: paxos.Node, diarist: _Diarist) -> None:
    while True:
        await node.propose(b"x" * 100)
        diarist.answered += 1
