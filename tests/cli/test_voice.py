"""A member says what happens, and takes part whether or not anybody can hear it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paxos.cli import voice
from paxos.cli.voice import LINES, speaking
from paxos.node.cluster import Cluster
from tests.cli.test_processes import LIMIT, adjacent_ports, paxos


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of standard error where somebody reads."""
    ear, mouth = os.pipe()
    monkeypatch.setattr(voice, "STANDARD_ERROR", mouth)
    yield ear
    os.close(mouth)
    os.close(ear)


def fill(mouth: int) -> int:
    os.set_blocking(mouth, False)
    count = 0
    try:
        while True:
            count += os.write(mouth, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(mouth, True)
    return count


def read(ear: int, last: str) -> str:
    heard = b""
    while not heard.endswith(last.encode() + b"\n"):
        heard += os.read(ear, 65536)
    return heard.decode()


def test_lines_are_said_in_order_and_the_last_before_the_end(pipe: int) -> None:
    with speaking("node1: ") as say:
        say("one")
        say("two \udcff")
    assert os.read(pipe, 100) == b"node1: one\nnode1: two \\udcff\n"


def test_nobody_waits_for_a_listener_and_what_was_not_said_is_counted(pipe: int) -> None:
    fill(voice.STANDARD_ERROR)
    with speaking() as say:
        say("first")  # which the thread takes, and waits
        for number in range(2 * LINES):
            say(str(number))
        assert "first\n0\n1\n" in read(pipe, str(LINES - 2))
        time.sleep(0)
        for _ in range(100):  # until there is room again
            say("end")
            if "lines were not said" in (heard := read(pipe, "end")):
                break
    dropped = int(heard.split(" lines were not said")[0].split("\n")[-1])
    assert LINES <= dropped + 2 <= LINES + 100


def test_a_listener_who_has_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    ear, mouth = os.pipe()
    monkeypatch.setattr(voice, "STANDARD_ERROR", mouth)
    os.close(ear)
    with speaking() as say:
        say("one")
        say("two")
    os.close(mouth)


@pytest.mark.parametrize("stderr", ["a pipe that nobody empties", "gone", "a full disk", "closed"])
def test_a_member_takes_part_whatever_has_become_of_standard_error(
    tmp_path: Path, stderr: str
) -> None:
    file = tmp_path / "cluster.toml"
    Cluster.generate(1, "127.0.0.1", adjacent_ports(1)).save(file)
    ear, mouth = os.pipe()
    if stderr == "a pipe that nobody empties":
        fill(mouth)
    elif stderr == "gone":
        os.close(ear)
        ear = os.dup(mouth)
    elif stderr == "a full disk":
        os.dup2(os.open("/dev/full", os.O_WRONLY), mouth)
    closing = "2>&-" if stderr == "closed" else ""
    command = f'exec "{sys.executable}" -m paxos.cli serve "$@" {closing}'
    data = tmp_path / "1.db"
    arguments = ("--cluster", file, "--node", "node1", "--data", data, "--machine", "counter")
    with subprocess.Popen(
        ["/bin/sh", "-c", command, "sh", *map(str, arguments)], stderr=mouth
    ) as process:
        try:
            answer = paxos("propose", "--cluster", file, "text")
            assert answer.stdout == "slot 1: 1\n", answer.stderr
            said_to = os.readlink(f"/proc/{process.pid}/fd/2")
            assert stderr != "closed" or said_to == os.devnull, "no file of ours takes its number"
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT) == 0
        finally:
            process.kill()
    os.close(ear)
    os.close(mouth)
    assert paxos("verify", data).returncode == 0
