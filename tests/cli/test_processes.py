"""Real processes over real UDP."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from paxos.node.cluster import Cluster

LIMIT = 45.0
"""Seconds after which the test fails; it takes a few."""


def paxos(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "paxos.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )


def adjacent_ports(count: int) -> int:
    """Return the first of so many adjacent UDP ports that are free at this moment."""
    while True:
        with ExitStack() as stack:
            sockets = [
                stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(count)
            ]
            sockets[0].bind(("127.0.0.1", 0))
            first: int = sockets[0].getsockname()[1]
            try:
                for offset, udp in enumerate(sockets[1:], 1):
                    udp.bind(("127.0.0.1", first + offset))
            except (OSError, OverflowError):
                continue
            return first


@contextmanager
def serving(cluster: Path, name: str, machine: str = "kv") -> Iterator[subprocess.Popen[str]]:
    data = cluster.parent / f"{name}.db"
    with (cluster.parent / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "paxos.cli", "serve"),
                *("--cluster", str(cluster), "--node", name, "--data", str(data)),
                *("--machine", machine),
            ],
            stderr=log,
            text=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_cluster_is_made_served_asked_and_stopped(tmp_path: Path) -> None:
    made = paxos("init", tmp_path, "--nodes", 3, "--base-port", adjacent_ports(3))
    assert made.returncode == 0, made.stderr
    cluster = tmp_path / "cluster.toml"
    deadline = time.monotonic() + LIMIT
    with ExitStack() as stack:
        nodes = [stack.enter_context(serving(cluster, f"node{n}", "counter")) for n in (1, 2, 3)]
        while (status := paxos("status", "--cluster", cluster)).returncode != 0:
            assert time.monotonic() < deadline, status.stdout + status.stderr
        assert re.search(r"^leader=node[123], epoch=\d+$", status.stdout, re.MULTILINE)
        assert json.loads(paxos("status", "--cluster", cluster, "--json").stdout)["ok"] is True

        slots = []
        for count in (1, 2):
            proposed = paxos("propose", "--cluster", cluster, f"text {count}")
            answer = re.fullmatch(rf"slot (\d+): {count}\n", proposed.stdout)
            assert answer, proposed
            slots.append(int(answer[1]))
        assert slots[0] < slots[1]

        for node, number in zip(nodes, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP), strict=True):
            node.send_signal(number)
        assert [node.wait(timeout=LIMIT) for node in nodes] == [0, 0, 0]
    for name in ("node1", "node2", "node3"):
        log = (tmp_path / f"{name}.log").read_text()
        assert re.search(r"^leader=node[123], epoch=\d+$", log, re.MULTILINE), log
        assert "Traceback" not in log


def test_key_value_machine_is_read_changed_and_watched_from_outside(tmp_path: Path) -> None:
    Cluster.local(3).save(tmp_path / "cluster.toml")
    cluster = tmp_path / "cluster.toml"
    deadline = time.monotonic() + LIMIT

    def kv(command: str, *arguments: object) -> tuple[int, str]:
        done = paxos("kv", command, "--cluster", cluster, *arguments)
        return done.returncode, done.stdout

    with ExitStack() as stack:
        for name, machine in (
            ("node1", "kv"),
            ("node2", "paxos.machines:KeyValue"),
            ("node3", "paxos.machines.key_value:KeyValue"),
        ):
            stack.enter_context(serving(cluster, name, machine))
        while (status := paxos("status", "--cluster", cluster)).returncode != 0:
            assert time.monotonic() < deadline, status.stdout + status.stderr
        assert kv("put", "colour", "red") == (0, "revision 1\n")
        assert kv("cas", "colour", "blue", "--expected", "red") == (0, "revision 2\n")
        assert kv("get", "colour") == (0, "blue\n")
        assert kv("range") == (0, "colour\tblue\n")
        command = ("kv", "watch", "--cluster", str(cluster), "--since", "1")
        watching = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "paxos.cli", *command], stdout=subprocess.PIPE, text=True
            )
        )
        stack.callback(watching.kill)
        assert watching.stdout is not None
        assert watching.stdout.readline() == "2\tput\tcolour\tblue\n"
        assert kv("delete", "colour") == (0, "deleted\n")
        assert watching.stdout.readline() == "3\tdelete\tcolour\n"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=LIMIT) == 130
        assert kv("get", "colour") == (1, "")
        refused = paxos("propose", "--cluster", cluster, "just a text")
        assert refused.returncode == 1
        assert "not a key-value command" in refused.stderr


def test_a_taken_port_is_explained(tmp_path: Path) -> None:
    Cluster.local(1).save(tmp_path / "cluster.toml")
    member = Cluster.load(tmp_path / "cluster.toml").members[0]
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind((member.host, member.port))
        served = paxos(
            *("serve", "--cluster", tmp_path / "cluster.toml"),
            *("--node", member.name, "--data", tmp_path / "node1.db"),
        )
    assert served.returncode == 1
    assert f"{member.name} cannot use {member.address}: Address already in use" in served.stderr
    assert "Traceback" not in served.stderr


def test_impatient_signals_do_not_spoil_a_clean_end(tmp_path: Path) -> None:
    Cluster.local(1).save(tmp_path / "cluster.toml")
    with serving(tmp_path / "cluster.toml", "node1") as node:
        deadline = time.monotonic() + LIMIT
        while paxos("status", "--cluster", tmp_path / "cluster.toml").returncode != 0:
            assert time.monotonic() < deadline
        while node.poll() is None:  # again and again, until the very end
            node.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                node.wait(timeout=0.005)
            assert time.monotonic() < deadline
        assert node.returncode == 0
