"""etcd: three servers, puts over gRPC to the leader."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.peers.base import NODES, free_ports
from benchmarks.peers.http2 import EtcdConnection
from benchmarks.peers.servers import Servers


class Etcd(Servers):
    """etcd with its defaults."""

    name = "etcd"
    durability = "synced by a majority"
    client = "one process, gRPC to the leader"
    connection = EtcdConnection
    options: tuple[str, ...] = ()

    @classmethod
    def missing(cls) -> str:
        """Look for the two commands."""
        absent = [command for command in ("etcd", "etcdctl") if shutil.which(command) is None]
        return f"no {' and no '.join(absent)} on PATH" if absent else ""

    def start(self) -> None:
        """Start the servers."""
        ports = free_ports(2 * NODES)
        self._peers = [f"http://127.0.0.1:{port}" for port in ports[NODES:]]
        self.serve_all(ports[:NODES])

    @property
    def endpoints(self) -> str:
        """Where clients find the servers."""
        return ",".join(map(self._endpoint, range(NODES)))

    def _endpoint(self, n: int) -> str:
        return f"http://127.0.0.1:{self.ports[n]}"

    def serve(self, n: int) -> subprocess.Popen[bytes]:
        """Start a server, at first or again."""
        everyone = ",".join(f"n{other}={url}" for other, url in enumerate(self._peers))
        command: list[str | Path] = [
            *("etcd", "--name", f"n{n}", "--data-dir", self.folder / f"n{n}"),
            *("--listen-client-urls", self._endpoint(n)),
            *("--advertise-client-urls", self._endpoint(n)),
            *("--listen-peer-urls", self._peers[n]),
            *("--initial-advertise-peer-urls", self._peers[n]),
            *("--initial-cluster", everyone, "--initial-cluster-token", "benchmark"),
            *("--logger", "zap", *self.options),
        ]
        return self.run(command, f"n{n}.log")

    def find_leader(self) -> int | None:
        """Ask a server's own command."""
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
                return self.ports.index(int(member["Endpoint"].rsplit(":", 1)[1]))
        return None


class HastyEtcd(Etcd):
    """etcd as impatient as it lets itself be made without losing its leader here."""

    name = "etcd, hasty"
    options = ("--heartbeat-interval", "10", "--election-timeout", "100")
