"""``paxos elect`` as people run it: real processes on loopback, killed, stopped and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paxos.node.cluster import Cluster
from tests.cli.electors import LIMIT, house


def test_one_leads_at_a_time_through_kills_pauses_and_restarts(tmp_path: Path) -> None:
    with house(tmp_path, 3) as members:
        first = members.until_epoch(1)
        members.running[first].kill()
        second = members.until_epoch(2)
        assert second != first
        members.start(first)
        members.running[second].send_signal(signal.SIGSTOP)
        third = members.until_epoch(3)
        time.sleep(2.0)
        members.running[second].send_signal(signal.SIGCONT)
        members.until(lambda: "is over: " in members.log(second))
        members.running[third].terminate()
        assert members.running[third].wait(LIMIT) == 0
        members.until_epoch(4)
        epochs = members.epochs()
    assert epochs == sorted(set(epochs)), "lines of two epochs interleave"
    assert not any("Traceback" in members.log(name) for name in members.running)


def test_a_command_knows_its_term_and_its_status_is_passed_on_once(tmp_path: Path) -> None:
    script = "echo $PAXOS_ELECTION $PAXOS_LEADER $PAXOS_EPOCH > {file}; exit 7"
    with house(tmp_path, 1, script, "--once", "--priority", "3", "--lease", "30s") as members:
        assert members.running["node1"].wait(LIMIT) == 7
    assert members.file.read_text() == "billing node1 1\n"
    assert "/bin/sh has ended by itself, with status 7" in members.log("node1")


def test_a_command_that_ends_by_itself_is_run_again_in_a_new_epoch(tmp_path: Path) -> None:
    with house(tmp_path, 1, "echo $PAXOS_EPOCH >> {file}", "--pause", "10ms") as members:
        members.until(lambda: members.epochs()[:3] == [1, 2, 3])


def test_signals_are_forwarded_and_end_it_in_order(tmp_path: Path) -> None:
    script = (
        "trap 'echo hup >> {file}' HUP; trap 'echo int >> {file}; exit 5' INT; "
        "echo up >> {file}; while :; do sleep 0.01; done"
    )
    with house(tmp_path, 1, script, "--once", "--lease", "30s") as members:

        def said() -> list[str]:
            return members.file.read_text().split() if members.file.exists() else []

        members.until(lambda: said() == ["up"])
        members.running["node1"].send_signal(signal.SIGHUP)
        members.until(lambda: said() == ["up", "hup"])
        members.running["node1"].send_signal(signal.SIGINT)
        assert members.running["node1"].wait(LIMIT) == 5
    assert said() == ["up", "hup", "int"]


def test_it_can_be_ended_while_it_waits(tmp_path: Path) -> None:
    with house(tmp_path, 3) as members:
        leader = members.until_epoch(1)
        other = next(name for name in members.running if name != leader)
        members.running[other].send_signal(signal.SIGINT)
        assert members.running[other].wait(LIMIT) == 0


def test_a_command_that_cannot_be_run_is_explained(tmp_path: Path) -> None:
    Cluster.local(1).save(tmp_path / "cluster.toml")
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "paxos.cli", "elect", "billing"),
            *("--cluster", str(tmp_path / "cluster.toml"), "--node", "node1"),
            *("--data", str(tmp_path / "node1.db"), "--", "/no/such", "--option"),
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert ended.returncode == 1
    assert "/no/such cannot be run: " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--lease", "99ms"], "lease must be 0.1"),
        (["--lease", "soon"], "'soon' is no duration"),
        (["--grace", "700ms"], "too long for a lease of 1 s"),
        (["--node", "node9"], "is no member"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, options: list[str], text: str) -> None:
    Cluster.local(1).save(tmp_path / "cluster.toml")
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "paxos.cli", "elect", "billing"),
            *("--cluster", str(tmp_path / "cluster.toml"), "--node", "node1"),
            *("--data", str(tmp_path / "node1.db"), *options, "--", "true"),
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert ended.returncode == 2
    assert text in ended.stderr
    assert not os.path.exists(tmp_path / "node1.db")
