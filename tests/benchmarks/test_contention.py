"""The simulated contention: reproducible, countable from its events, and as good as it must be."""

from __future__ import annotations

import io
import json
from collections import Counter

import pytest

from benchmarks.contention.arena import BALLOT_BOUND, Arena, Run, Scene
from benchmarks.contention.findings import Row, verdicts
from benchmarks.contention.policies import NAMES, RANKED
from benchmarks.contention.sweep import usual
from benchmarks.suite import Size


def runs(scene: Scene, count: int = 10) -> list[Run]:
    return [Arena(scene, seed).run() for seed in range(count)]


@pytest.mark.parametrize("kind", ["one", "many", "loss"])
@pytest.mark.parametrize("policy", NAMES)
def test_equal_seeds_give_equal_runs(kind: str, policy: str) -> None:
    scene = Scene(kind, policy, proposers=4, acceptors=5, loss=0.1, delay="jittered")
    assert runs(scene, 3) == runs(scene, 3)


def test_lone_proposer_decides_in_four_message_delays_and_one_round() -> None:
    (run,) = runs(Scene(policy="none", proposers=1), 1)
    assert (run.ballots, run.hops) == (1, 4)
    assert run.units == pytest.approx(4.0)


def test_three_proposers_without_a_policy_duel_for_ever() -> None:
    (run,) = runs(Scene(policy="none", proposers=3), 1)
    assert run.decided == 0
    assert run.ballots == BALLOT_BOUND


@pytest.mark.parametrize("policy", [name for name in NAMES if name != "none"])
def test_every_policy_decides(policy: str) -> None:
    assert all(run.decided == 1 for run in runs(Scene(policy=policy, proposers=8, loss=0.05)))


def test_what_is_reported_can_be_counted_in_the_events() -> None:
    log = io.StringIO()
    run = Arena(Scene(policy="fixed", proposers=8, loss=0.05), 7, log).run()
    events = [json.loads(line) for line in log.getvalue().splitlines()]
    kinds = Counter(event["event"] for event in events)
    (decided,) = (event for event in events if event["event"] == "decided")
    assert events[0]["seed"] == 7
    assert kinds["ballot"] == run.ballots
    assert kinds["send"] == run.messages
    assert sum(event.get("octets", 0) for event in events) == run.octets
    assert decided["hops"] == run.hops
    assert decided["units"] == pytest.approx(run.units)


def test_our_policy_meets_its_goals() -> None:
    part = usual(Size.QUICK, 1).parts[0]
    rows = [Row.of(scene, runs(scene, 20)) for scene in part.scenes]
    for verdict in verdicts(rows):
        assert verdict.met, verdict


def test_a_leader_lost_by_all_at_once_costs_one_round() -> None:
    lost = runs(Scene("loss", RANKED, proposers=9, acceptors=9))
    assert [run.ballots for run in lost] == [1] * 10


def test_many_decrees_need_one_ballot_with_our_policy_and_many_without() -> None:
    ours, theirs = (
        sum(run.ballots for run in runs(Scene("many", policy, 5, 5), 3))
        for policy in (RANKED, "exponential")
    )
    assert ours == 3
    assert theirs > 60
