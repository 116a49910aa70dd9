"""What a peer must be able to do."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, Final, Self, TypeVar

from benchmarks.peers.pipelined import Connection
from benchmarks.peers.work import PeerFailed, Work

NODES: Final = 3
FAULTS: Final = {"kill -9": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP}
"""What happens to leaders: a process dies, or stands still as behind a cut or a long pause."""

SETTLING: Final = (0.3, 0.5)
"""Seconds between all being well and the fault, at random."""

LIMIT: Final = 60.0
"""Seconds within which a cluster must be ready, or decide again."""


class Processes(ABC):
    """Processes on loopback, ended with the block."""

    name: ClassVar[str]

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.chance = random.Random(seed)  # noqa: S311 - when a fault comes, no secret
        self._stack = ExitStack()

    @classmethod
    def missing(cls) -> str:
        """Return why it cannot run here; empty when it can."""
        return ""

    def __enter__(self) -> Self:
        """Start all, and wait until it does what it is for."""
        self.folder.mkdir(parents=True)
        try:
            self.start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End every process."""
        self._stack.close()

    @abstractmethod
    def start(self) -> None:
        """Start the processes, and wait until they do what they are for."""

    def settle(self) -> None:
        """Let some time pass in which all is well."""
        time.sleep(self.chance.uniform(*SETTLING))

    def run(
        self, command: Sequence[str | Path], log: str, *, heard: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a process that ends with this block; what it says goes to a file.

        What it says on standard output goes to a pipe instead if it is to be ``heard``.
        """
        with (self.folder / log).open("ab") as file:
            process = subprocess.Popen(  # noqa: S603 - commands of this package's own
                list(map(str, command)),
                stdout=subprocess.PIPE if heard else file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "ETCDCTL_API": "3"},
            )
        self._stack.callback(end, process)
        return process


class Peer(Processes):
    """A cluster of `NODES` processes that decides commands."""

    durability: ClassVar[str]
    """What is on disk when a command is answered."""
    client: ClassVar[str]
    """Who proposes."""

    @abstractmethod
    def drive(self, inflight: int, seconds: float) -> Work:
        """Put values of 100 bytes, so many at once."""

    @abstractmethod
    def lose_leader(self, fault: str) -> float:
        """Harm the leader; return the seconds until the next command is decided.

        ``fault`` is one of `FAULTS`. When this returns, the cluster is whole again.
        """

    @abstractmethod
    def resident(self) -> int:
        """Return the bytes of memory of its largest process."""


def first_put(connect: Callable[[], Connection]) -> float:
    """Put again and again, as soon as somebody lets us, until one is done; return when it was."""

    def once() -> float | None:
        try:
            with connect() as connection:
                return connection.put_until_done(ATTEMPT)
        except OSError:
            return None

    return until("a put after the leader's loss", once, 0.002)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, if it is there, and wait until it is gone."""
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def free_ports(count: int) -> list[int]:
    """Return TCP ports of loopback that are free at this moment."""
    with ExitStack() as stack:
        ports = []
        for _ in range(count):  # all are held open together, so that they differ
            tcp = stack.enter_context(socket.socket())
            tcp.bind(("127.0.0.1", 0))
            ports.append(tcp.getsockname()[1])
    return ports


ATTEMPT: Final = 0.3
"""Seconds after which a connection on which nothing was done is given up for a new one."""

T = TypeVar("T")


def until(what: str, ready: Callable[[], T | None], pause: float = 0.05) -> T:
    """Return what ``ready`` returns as soon as it is not None; raise `PeerFailed` in the end."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        found = ready()
        if found is not None:
            return found
        time.sleep(pause)
    raise PeerFailed(f"{what}: not within {LIMIT:g} s")


def resident_of(pid: int) -> int:
    """Return the bytes of memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
