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
from benchmarks.member import Nothing
from paxos.demo.cable import Cable
from paxos.journal import JournalError
from paxos.node.instrument import Instrument
from paxos.protocol.events import Event
from paxos.replicated.events import LeaderSuspected
from paxos.replicated.values import Leadership
from paxos.transport import open_udp

THINKING = 0.001
"""Seconds between an answer and the client's next command."""

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
    """Propose with so many in flight."""

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
    """When the client's commands were answered."""
    suspicions: int = 0
    terms: tuple[tuple[float, int], ...] = ()
    """When this process was elected in the election in which it stands, and the epochs."""


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
        self._process.join()
        self._pipe.close()


class _Diarist(Instrument):
    def __init__(self) -> None:
        self.leaderships: list[tuple[float, Leadership | None]] = []
        self.answers: list[float] = []
        self.suspicions = 0
        self.terms: list[tuple[float, int]] = []

    def event(self, event: Event) -> None:
        self.suspicions += isinstance(event, LeaderSuspected)

    def leader_changed(self, leadership: Leadership | None) -> None:
        self.leaderships.append((time.monotonic(), leadership))

    def journal_failed(self, error: JournalError) -> None:
        raise error

    def take(self) -> Diary:
        seen = (tuple(self.leaderships), tuple(self.answers), self.suspicions)
        diary = Diary(*seen, tuple(self.terms))
        self.terms.clear()
        self.leaderships.clear()
        self.answers.clear()
        self.suspicions = 0
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
                    for _ in range(inflight):
                        nursery.start_soon(
                            _propose, node, diarist, 0.0 if inflight > 1 else THINKING
                        )
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
                await trio.sleep_forever()


async def _propose(node: paxos.Node, diarist: _Diarist, thinking: float) -> None:
    while True:
        await node.propose(b"x" * 100)
        diarist.answers.append(time.monotonic())
        await trio.sleep(thinking)
