from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from attrs import define, field

from paxos.testing.chaos import Plan, run_chaos
from paxos.testing.chaos import patterns as shapes
from paxos.testing.chaos.patterns import PATTERNS, WEATHER
from paxos.testing.simulation.store import Store

FIVE = ("a", "b", "c", "d", "e")


@define
class Listener:
    words: list[str] = field(factory=list)
    seconds: float = 0.0

    def say(self, text: str) -> None:
        self.words.append(text)

    def progress(self, seconds: float) -> None:
        self.seconds = seconds


def heard_by(name: str, cuts: shapes.Cuts) -> set[str]:
    return {node for node in FIVE if node != name and (node, name) not in cuts}


def test_each_pattern_leaves_the_links_that_its_name_says() -> None:
    def cuts(pattern: str) -> list[int]:
        """Return how many others each node still hears."""
        found = getattr(shapes, pattern)(FIVE)
        return [len(heard_by(name, found)) for name in FIVE]

    assert cuts("one_way") == [4, 4, 4, 4, 3]
    assert cuts("isolated") == [0, 3, 3, 3, 3]
    assert cuts("mute") == [4, 3, 3, 3, 3]
    assert cuts("deaf") == [0, 4, 4, 4, 4]
    assert cuts("halves") == [1, 1, 2, 2, 2]
    assert cuts("bridge") == [4, 2, 2, 2, 2]
    assert cuts("chain") == [1, 2, 2, 2, 1]
    assert cuts("ring") == [2, 2, 2, 2, 2]
    assert cuts("star") == [4, 1, 1, 1, 1]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("nodes", [FIVE[:2], FIVE[:3], FIVE])
def test_a_pattern_cuts_links_between_different_nodes(
    pattern: shapes.Pattern, nodes: tuple[str, ...]
) -> None:
    for source, target in pattern(nodes):
        assert source != target
        assert {source, target} <= set(nodes)


@pytest.mark.parametrize("weather", WEATHER)
def test_bad_weather_spoils_some_datagrams(weather: shapes.Weather) -> None:
    random = Random(1)
    copies = [weather(random).copies(random, b"x") for _ in range(300)]
    assert any(each != [(0.0, b"x")] for each in copies)


async def test_chaos_ends_with_a_proof_that_all_promises_were_kept(tmp_path: Path) -> None:
    listener = Listener()
    report = await run_chaos(Plan(nodes=3, seconds=3, seed=4), tmp_path, listener)
    assert report.violations == ()
    assert report.ok
    assert report.operations["ok"] >= 2 * Plan().clients
    assert report.recovered_after is not None
    assert any(name.startswith("cut:") for name in report.faults)
    assert report.slots > report.leaderships > 0
    assert listener.seconds == 3
    assert "checking what the clients saw" in listener.words
    assert (tmp_path / "history.jsonl").read_text().count("invoke") > report.operations["ok"]


class Forgetful(Store):
    """Forgets what is written: a bug that chaos must find."""

    def apply(self, command: bytes) -> bytes:
        return b"ok" if command.startswith(b"w") else super().apply(command)


async def test_chaos_finds_a_machine_that_forgets(tmp_path: Path) -> None:
    plan = Plan(nodes=1, seconds=1, machine=f"{__name__}:Forgetful")
    report = await run_chaos(plan, tmp_path, Listener())
    assert not report.ok
    assert report.linearizable is False
    assert report.violations[0].startswith("not linearizable")


@pytest.mark.campaign
@pytest.mark.parametrize("nodes", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("seed", range(3))
async def test_long_chaos_breaks_no_promise(tmp_path: Path, nodes: int, seed: int) -> None:
    report = await run_chaos(Plan(nodes=nodes, seconds=60, seed=seed), tmp_path, Listener())
    assert report.violations == ()
    assert report.ok
