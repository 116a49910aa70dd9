"""A peer whose nodes are server processes, each with a port of loopback for its clients."""

from __future__ import annotations

import signal
import subprocess
import time
from abc import abstractmethod
from typing import ClassVar

from benchmarks.peers.base import ATTEMPT, FAULTS, NODES, Peer, first_put, resident_of, until
from benchmarks.peers.pipelined import Connection
from benchmarks.peers.work import Work


class Servers(Peer):
    """Servers with a leader, to which commands are put over TCP."""

    connection: ClassVar[type[Connection]]
    """How a client speaks to a server."""

    def serve_all(self, ports: list[int]) -> None:
        """Start a server for each port, and wait until they have a leader."""
        self.ports = ports
        self.processes = [self.serve(n) for n in range(NODES)]
        self._leader = self._await_leader()

    @abstractmethod
    def serve(self, n: int) -> subprocess.Popen[bytes]:
        """Start a server, at first or again."""

    @abstractmethod
    def find_leader(self) -> int | None:
        """Return which server leads, if any does."""

    def connect(self) -> Connection:
        """Return a connection to the leader."""
        return self._connect(self._leader)

    def drive(self, inflight: int, seconds: float) -> Work:
        """Put at the leader."""
        with self.connect() as connection:
            return connection.drive(inflight, seconds)

    def lose_leader(self, fault: str) -> float:
        """Harm the leader, and put at a survivor until that is done."""
        lost = self._leader = self._await_leader()
        survivor = next(n for n in range(NODES) if n != lost)
        with self._connect(survivor) as connection:
            connection.put_one(1)
        self.settle()
        self.processes[lost].send_signal(FAULTS[fault])
        harmed = time.monotonic()
        done = first_put(lambda: self.connection(self.ports[survivor], timeout=ATTEMPT))
        if fault == "SIGSTOP":
            self.processes[lost].send_signal(signal.SIGCONT)
        else:
            self.processes[lost].wait()
            self.processes[lost] = self.serve(lost)
        first_put(lambda: self.connection(self.ports[lost], timeout=ATTEMPT))
        return done - harmed

    def resident(self) -> int:
        """Return the largest server's memory."""
        return max(resident_of(process.pid) for process in self.processes)

    def _await_leader(self) -> int:
        return until(f"a leader of {self.name}", self.find_leader)

    def _connect(self, n: int) -> Connection:
        def connect() -> Connection | None:
            try:
                return self.connection(self.ports[n], timeout=30)
            except OSError:
                return None

        return until("a session", connect)
