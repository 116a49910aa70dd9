"""etcd: three servers, puts over gRPC to the leader."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from benchmarks.peers.base import (
    ATTEMPT,
    FAULTS,
    NODES,
    Peer,
    first_put,
    free_ports,
    resident_of,
    until,
)
from benchmarks.peers.http2 import EtcdConnection
from benchmarks.peers.work import Work


class Etcd(Peer):
    """etcd with its defaults."""

    name = "etcd"
    durability = "synced by a majority"
    client = "one process, gRPC to the leader"
    options: tuple[str, ...] = ()

    @classmethod
    def missing(cls) -> str:
        """Look for the two commands."""
        absent = [command for command in ("etcd", "etcdctl") if shutil.which(command) is None]
        return f"no {' and no '.join(absent)} on PATH" if absent else ""

    def start(self) -> None:
        """Start the servers."""
        ports = free_ports(2 * NODES)
        self._ports = {f"n{n}": ports[n] for n in range(NODES)}
        peers = {f"n{n}": f"http://127.0.0.1:{ports[NODES + n]}" for n in range(NODES)}
        everyone = ",".join(f"{name}={url}" for name, url in peers.items())
        self._commands: dict[str, list[str | Path]] = {
            name: [
                *("etcd", "--name", name, "--data-dir", self.folder / name),
                *("--listen-client-urls", f"http://127.0.0.1:{port}"),
                *("--advertise-client-urls", f"http://127.0.0.1:{port}"),
                *("--listen-peer-urls", peers[name]),
                *("--initial-advertise-peer-urls", peers[name]),
                *("--initial-cluster", everyone, "--initial-cluster-token", "benchmark"),
                *("--logger", "zap", *self.options),
            ]
            for name, port in self._ports.items()
        }
        self._processes = {name: self._run(name) for name in self._ports}
        self._leader = until("an etcd leader", self._find_leader)

    @property
    def endpoints(self) -> str:
        """Where clients find the servers."""
        return ",".join(f"http://127.0.0.1:{port}" for port in self._ports.values())

    def drive(self, inflight: int, seconds: float) -> Work:
        """Put at the leader."""
        with EtcdConnection(self._ports[self._leader], timeout=30) as connection:
            return connection.drive(inflight, seconds)

    def lose_leader(self, fault: str) -> float:
        """Harm the leader, and put at a survivor until that is done."""
        lost = self._leader = until("an etcd leader", self._find_leader)
        survivor = next(name for name in self._ports if name != lost)
        with EtcdConnection(self._ports[survivor]) as connection:
            connection.put_one(1)
        self.settle()
        self._processes[lost].send_signal(FAULTS[fault])
        harmed = time.monotonic()
        done = first_put(lambda: EtcdConnection(self._ports[survivor], timeout=ATTEMPT))
        if fault == "SIGSTOP":
            self._processes[lost].send_signal(signal.SIGCONT)
        else:
            self._processes[lost].wait()
            self._processes[lost] = self._run(lost)
        first_put(lambda: EtcdConnection(self._ports[lost], timeout=ATTEMPT))
        return done - harmed

    def _run(self, name: str) -> subprocess.Popen[bytes]:
        return self.run(self._commands[name], f"{name}.log")

    def resident(self) -> int:
        """Return the largest server's memory."""
        return max(resident_of(process.pid) for process in self._processes.values())

    def _find_leader(self) -> str | None:
        asked = subprocess.run(  # noqa: S603 - the command is found as a user would
            ["etcdctl", "--endpoints", self.endpoints, "endpoint", "status", "-w", "json"],  # noqa: S607
            capture_output=True,
            env=os.environ | {"ETCDCTL_API": "3"},
            timeout=30,
            check=False,
        )
        if asked.returncode != 0:
            return None
        for member in json.loads(asked.stdout):
            status = member["Status"]
            if status["leader"] == status["header"]["member_id"]:
                port = int(member["Endpoint"].rsplit(":", 1)[1])
                return next(name for name, known in self._ports.items() if known == port)
        return None


class HastyEtcd(Etcd):
    """etcd as impatient as it lets itself be made without losing its leader here."""

    name = "etcd, hasty"
    options = ("--heartbeat-interval", "10", "--election-timeout", "100")
