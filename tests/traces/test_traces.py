"""Well-known runs, word for word. Read the .txt files beside this one: they are a tutorial.

After a change that is meant: ``pytest tests/traces --rewrite``, and read the difference.
"""

from __future__ import annotations

from pathlib import Path
from types import FunctionType

import pytest

from paxos.protocol.messages import Accept, Accepted, Chosen
from paxos.testing.stage import Stage

HERE = Path(__file__).parent


def stable_leader(stage: Stage) -> None:
    stage.say("phase 1, once, for every slot there will ever be")
    stage.prepare("a")
    stage.deliver()
    stage.say("phase 2, slot after slot: one round trip each")
    for fruit in ("apple", "banana"):
        stage.propose("a", fruit)
        stage.deliver()


def duelling_proposers(stage: Stage) -> None:
    stage.say("a prepares, and before it can propose, so does b")
    stage.prepare("a")
    stage.deliver()
    stage.prepare("b")
    stage.deliver()
    stage.say("a proposes too late: its ballot is refused, and it gives way")
    stage.propose("a", "apple")
    stage.deliver()
    stage.say("nobody disturbs b now")
    stage.propose("b", "banana")
    stage.deliver()


def leader_change_with_a_half_accepted_value(stage: Stage) -> None:
    stage.say("a leads, and proposes; only a and b vote before a dies")
    stage.prepare("a")
    stage.deliver()
    stage.absent = {"c"}
    stage.propose("a", "apple")
    stage.deliver(lose=Accepted)
    stage.absent = {"a"}
    stage.say("c wants a banana, but finds the apple at b: it may be chosen, so it must be kept")
    stage.prepare("c")
    stage.deliver()
    stage.propose("c", "banana")
    stage.deliver()


def gap_filled_with_a_no_op(stage: Stage) -> None:
    stage.say("slot 0 gets lost, slot 1 arrives; then a dies")
    stage.prepare("a")
    stage.deliver()
    stage.propose("a", "apple")
    stage.deliver(lose=Accept)
    stage.propose("a", "banana")
    stage.deliver(lose=Accepted)
    stage.absent = {"a"}
    stage.say("b finds nothing in slot 0, which may never be chosen there, and a vote in slot 1")
    stage.prepare("b")
    stage.deliver()


def catch_up(stage: Stage) -> None:
    stage.say("c is away while two slots are chosen")
    stage.absent = {"c"}
    stage.prepare("a")
    stage.deliver()
    for fruit in ("apple", "banana"):
        stage.propose("a", fruit)
        stage.deliver()
    stage.absent = set()
    stage.say("c is back, hears that others are ahead, and asks")
    stage.ask("c", "b")
    stage.deliver()


def lost_announcement(stage: Stage) -> None:
    stage.say("c voted, but the news that the slot is chosen gets lost")
    stage.prepare("a")
    stage.deliver()
    stage.propose("a", "apple")
    stage.deliver(lose=Chosen)
    stage.say("it learns from whoever knows")
    stage.ask("c", "a")
    stage.deliver()


@pytest.mark.parametrize(
    "scene",
    [
        stable_leader,
        duelling_proposers,
        leader_change_with_a_half_accepted_value,
        gap_filled_with_a_no_op,
        catch_up,
        lost_announcement,
    ],
)
def test_scene_is_played_as_it_is_written(
    scene: FunctionType, request: pytest.FixtureRequest
) -> None:
    stage = Stage("a", "b", "c")
    scene(stage)
    golden = HERE / f"{scene.__name__}.txt"
    if request.config.getoption("--rewrite"):
        golden.write_text(stage.transcript)
    assert stage.transcript == golden.read_text()
