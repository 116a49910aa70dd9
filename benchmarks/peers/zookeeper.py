"""ZooKeeper: three servers, setData over its own protocol to the leader."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.peers.base import NODES, free_ports
from benchmarks.peers.pipelined import Connection
from benchmarks.peers.servers import Servers
from benchmarks.peers.work import VALUE, PeerFailed

JAR: Final = Path("/usr/share/java/zookeeper.jar")
PATH: Final = b"/benchmark"
CREATE, SET_DATA = 1, 5


def text(data: bytes) -> bytes:
    """Return bytes as jute writes them."""
    return struct.pack(">i", len(data)) + data


def packet(body: bytes) -> bytes:
    """Return a packet."""
    return struct.pack(">i", len(body)) + body


class ZooKeeperConnection(Connection):
    """A session that sets the data of one node, again and again."""

    def __init__(self, port: int, timeout: float = 5.0) -> None:
        super().__init__(port, timeout)
        self.socket.sendall(packet(struct.pack(">iqiq", 0, 0, 10_000, 0) + text(bytes(16)) + b"\0"))
        while not self._greeted():
            data = self.socket.recv(4096)
            if not data:
                raise ConnectionResetError("the server takes no sessions now")
            self.unread += data

    def create(self) -> None:
        """Make the node whose data is set; it may be there already."""
        acl = struct.pack(">ii", 1, 31) + text(b"world") + text(b"anyone")
        body = text(PATH) + text(b"") + acl + struct.pack(">i", 0)
        self.socket.sendall(packet(struct.pack(">ii", 1 << 30, CREATE) + body))
        while not self.receive():
            pass

    def put(self, number: int) -> bytes:
        """Set the data, whatever its version is."""
        body = text(PATH) + text(VALUE) + struct.pack(">i", -1)
        return packet(struct.pack(">ii", number, SET_DATA) + body)

    def answers(self) -> Iterator[tuple[int, bool]]:
        """Yield each reply's number."""
        unread, at = self.unread, 0
        while len(unread) - at >= 4:
            length = int.from_bytes(unread[at : at + 4], "big")
            if len(unread) - at < 4 + length:
                break
            number, _, error = struct.unpack_from(">iqi", unread, at + 4)
            if number >= 0:
                yield number, error == 0
            at += 4 + length
        del unread[:at]

    def _greeted(self) -> bool:
        if len(self.unread) < 4:
            return False
        length = int.from_bytes(self.unread[:4], "big")
        if len(self.unread) < 4 + length:
            return False
        del self.unread[: 4 + length]
        return True


class ZooKeeper(Servers):
    """ZooKeeper with its defaults."""

    name = "ZooKeeper"
    durability = "synced by a majority"
    client = "one process, its own protocol, to the leader"
    connection = ZooKeeperConnection
    tick = 2000
    """Milliseconds; no session may be shorter than two ticks."""

    @classmethod
    def missing(cls) -> str:
        """Look for Java and the jar."""
        if shutil.which("java") is None:
            return "no java on PATH"
        return "" if JAR.exists() else f"no {JAR}"

    def start(self) -> None:
        """Start the servers."""
        ports = free_ports(3 * NODES)
        servers = "".join(
            f"server.{n + 1}=127.0.0.1:{ports[NODES + n]}:{ports[2 * NODES + n]}\n"
            for n in range(NODES)
        )
        for n, port in enumerate(ports[:NODES]):
            data = self.folder / f"z{n + 1}"
            data.mkdir()
            (data / "myid").write_text(f"{n + 1}\n")
            (data / "zoo.cfg").write_text(
                f"tickTime={self.tick}\ninitLimit={20_000 // self.tick}\n"
                f"syncLimit={10_000 // self.tick}\ndataDir={data}\nclientPort={port}\n"
                f"admin.enableServer=false\n4lw.commands.whitelist=srvr\n{servers}"
            )
        self.serve_all(ports[:NODES])
        with self.connect() as connection:
            assert isinstance(connection, ZooKeeperConnection)
            connection.create()

    @property
    def endpoints(self) -> str:
        """Where clients find the servers."""
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def serve(self, n: int) -> subprocess.Popen[bytes]:
        """Start a server, at first or again."""
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        config, log = self.folder / f"z{n + 1}" / "zoo.cfg", f"z{n + 1}.log"
        classes = f"/etc/zookeeper/conf:{JAR}"
        return self.run(["java", "-Xmx512m", "-cp", classes, main, config], log)

    def find_leader(self) -> int | None:
        """Ask each server."""
        for n, port in enumerate(self.ports):
            if self.processes[n].poll() is not None:
                raise PeerFailed(f"a server has ended: see {self.folder}/z{n + 1}.log")
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as asked:
                    asked.sendall(b"srvr")
                    if b"Mode: leader" in asked.recv(4096):
                        return n
            except OSError:
                continue
        return None


class HastyZooKeeper(ZooKeeper):
    """ZooKeeper with ticks that let sessions be as short as other recipes' leases."""

    name = "ZooKeeper, hasty"
    tick = 200
