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

from paxos.demo.report import Harm, Reign
from paxos.demo.stage import Stage, StageError
from paxos.demo.story import Plan

LIMIT = 240.0
"""Seconds after which a test fails; it takes some, and the story itself gives up earlier."""


def demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "paxos.cli", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )


def test_whatever_happens_to_leaders_nobody_is_forgotten_or_charged_twice(tmp_path: Path) -> None:
    with demo(tmp_path, "--subscriptions", "40", "--kills", "2", "--seed", "5", "--json") as story:
        out, err = story.communicate(timeout=LIMIT)
    assert story.returncode == 0, err
    verdict = json.loads(out)
    assert (verdict["charged_once"], verdict["charged_twice"], verdict["forgotten"]) == (40, 0, 0)
    assert verdict["ok"] is True
    assert sum(epoch["charges"] for epoch in verdict["epochs"]) == 40
    assert len(verdict["epochs"]) >= 4
    assert len(verdict["failovers_ms"]) >= 3  # a short cut may pass unnoticed
    assert list(tmp_path.iterdir()) == []


def test_a_story_ends_when_all_are_charged_whatever_harm_was_still_to_come(tmp_path: Path) -> None:
    arguments = ("--subscriptions", "1", "--nodes", "3", "--seed", "1", "--json")
    with demo(tmp_path, *arguments) as story:
        out, err = story.communicate(timeout=LIMIT)
    assert story.returncode == 0, err
    assert json.loads(out)["charged_once"] == 1
    assert "of 5 blows; more --subscriptions leave time for all of them" in err


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


def test_a_child_hears_its_parent_and_ends_when_it_is_gone() -> None:
    code = (
        "from paxos.node.lifeline import end_with_parent; import threading\n"
        "end_with_parent(lambda line: print(line, flush=True))\n"
        "threading.Event().wait(60); raise SystemExit(1)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"cut\nme")
        child.stdin.flush()
        assert child.stdout.readline() == b"cut\n"
        child.stdin.close()  # as the kernel does for a parent that was killed
        assert child.wait(timeout=LIMIT) == 0


async def test_a_process_that_ends_by_itself_ends_the_story_with_its_last_words(
    tmp_path: Path,
) -> None:
    def announce(reign: Reign) -> None: ...

    async with trio.open_nursery() as nursery:
        stage = Stage(nursery, tmp_path, announce)
        with pytest.raises(StageError, match="unable to open database file"):
            await nursery.start(
                stage.provide, ["--ledger", str(tmp_path / "missing" / "ledger.db")]
            )


@pytest.mark.parametrize("subscriptions", [1, 20, 200, 10_000])
@pytest.mark.parametrize("kills", [0, 3, 20])
def test_the_provider_is_never_slower_than_a_service_waits(subscriptions: int, kills: int) -> None:
    assert 0 < Plan(subscriptions=subscriptions, kills=kills).seconds_per_charge <= 1.0


def test_a_seed_decides_what_happens() -> None:
    plan = Plan(kills=3, pauses=1, cuts=1, seed=7)
    assert plan.harms == Plan(kills=3, pauses=1, cuts=1, seed=7).harms
    assert sorted(plan.harms) == sorted(
        [Harm.KILLED, Harm.KILLED, Harm.KILLED_UNHEARD, Harm.PAUSED, Harm.CUT_OFF]
    )
    assert len({tuple(Plan(seed=seed).harms) for seed in range(20)}) > 5
