"""The story as it is played: real processes, real UDP, real SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from paxos.demo.report import Reign
from paxos.demo.stage import Stage, StageError
from paxos.demo.story import Plan

LIMIT = 60.0


def demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "paxos.cli", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )


def test_a_killed_leader_leaves_nobody_forgotten_and_nobody_charged_twice(tmp_path: Path) -> None:
    with demo(tmp_path, "--subscriptions", "20", "--kills", "1", "--json") as story:
        out, err = story.communicate(timeout=LIMIT)
    assert story.returncode == 0, err
    verdict = json.loads(out)
    assert (verdict["charged_once"], verdict["charged_twice"], verdict["forgotten"]) == (20, 0, 0)
    assert verdict["ok"] is True
    assert sum(epoch["charges"] for epoch in verdict["epochs"]) == 20
    assert len(verdict["epochs"]) >= 2
    assert len(verdict["failovers_ms"]) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "after", "status"),
    [(signal.SIGINT, "leader=", 130), (signal.SIGTERM, "subscriptions due", 143)],
)
def test_an_interrupted_story_leaves_nothing_behind(
    tmp_path: Path, number: int, after: str, status: int
) -> None:
    with demo(tmp_path) as story:
        assert story.stderr is not None
        while after not in (line := story.stderr.readline()):
            assert line, "it ended by itself"
        story.send_signal(number)
        out, err = story.communicate(timeout=LIMIT)
    assert (story.returncode, out) == (status, "")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_child_ends_when_its_parent_is_gone() -> None:
    code = (
        "from paxos.node.lifeline import end_with_parent; import threading\n"
        "end_with_parent(); threading.Event().wait(60); raise SystemExit(1)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.close()  # as the kernel does for a parent that was killed
        assert child.wait(timeout=LIMIT) == 0


async def test_a_process_that_ends_by_itself_ends_the_story_with_its_last_words(
    tmp_path: Path,
) -> None:
    def announce(reign: Reign) -> None: ...

    async with trio.open_nursery() as nursery:
        stage = Stage(nursery, tmp_path, announce)
        with pytest.raises(StageError, match="unable to open database file"):
            await nursery.start(stage.provide, tmp_path / "missing" / "ledger.db", 0.0)


@pytest.mark.parametrize("subscriptions", [1, 20, 200, 10_000])
@pytest.mark.parametrize("kills", [0, 3, 20])
def test_the_provider_is_never_slower_than_a_service_waits(subscriptions: int, kills: int) -> None:
    assert 0 < Plan(subscriptions=subscriptions, kills=kills).latency <= 1.0
