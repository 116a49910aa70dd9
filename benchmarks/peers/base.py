"""What a peer must be able to do."""

from __future__ import annotations

import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, Final, Self, TypeVar

from attrs import frozen

NODES: Final = 3
VALUE: Final = b"x" * 100
LIMIT: Final = 60.0
"""Seconds within which a cluster must be ready, or decide again."""


class PeerFailed(Exception):  # noqa: N818 - it says what happened
    """A peer did not do what it was asked; the text says what."""


@frozen
class Work:
    """What a drive came to; times in seconds."""

    commands: int
    elapsed: float
    p50: float
    p99: float
    client: float
    """The share of one processor that the client took; 0 where it is part of the node."""


class Peer(ABC):
    """A cluster of `NODES` processes on loopback, ended with the block."""

    name: ClassVar[str]
    durability: ClassVar[str]
    """What is on disk when a command is answered."""
    client: ClassVar[str]
    """Who proposes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()

    @classmethod
    def missing(cls) -> str:
        """Return why it cannot run here; empty when it can."""
        return ""

    def __enter__(self) -> Self:
        """Start the cluster, and wait until it decides."""
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
        """Start the processes, and wait until commands are decided."""

    @abstractmethod
    def drive(self, inflight: int, seconds: float) -> Work:
        """Put values of 100 bytes, so many at once."""

    @abstractmethod
    def lose_leader(self) -> float:
        """Kill the leader (SIGKILL); return the seconds until the next command is decided.

        The cluster is of no use afterwards.
        """

    @abstractmethod
    def resident(self) -> int:
        """Return the bytes of memory of its largest process."""

    def run(self, command: Sequence[str | Path], log: str) -> subprocess.Popen[bytes]:
        """Start a process that ends with this peer; what it says goes to a file."""
        with (self.folder / log).open("ab") as file:
            process = subprocess.Popen(  # noqa: S603 - commands of this package's own
                list(map(str, command)),
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
            )
        self._stack.callback(_end, process)
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def free_ports(count: int) -> list[int]:
    """Return TCP ports of loopback that are free at this moment."""
    with ExitStack() as stack:
        ports = []
        for _ in range(count):  # all are held open together, so that they differ
            tcp = stack.enter_context(socket.socket())
            tcp.bind(("127.0.0.1", 0))
            ports.append(tcp.getsockname()[1])
    return ports


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


def sum_up(latencies: list[float], elapsed: float, cpu: float) -> Work:
    """Return the work of a client from its latencies and its processor time."""
    if not latencies:
        raise PeerFailed("no command was answered")
    ordered, count = sorted(latencies), len(latencies)
    return Work(count, elapsed, ordered[count // 2], ordered[count * 99 // 100], cpu / elapsed)
