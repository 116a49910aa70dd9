"""The runner: inputs, outputs, tables, JSON and figures of a benchmark that takes no time."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest
from attrs import frozen

from benchmarks import runner
from benchmarks.catalogue import CATALOGUE
from benchmarks.drawing import draw
from benchmarks.results import Figure, Line, Output, Spread, Table, number
from benchmarks.suite import Benchmark, Size, Tell


@frozen
class Given:
    size: int
    seed: int


@frozen
class Found(Output):
    squares: tuple[int, ...]

    def tables(self) -> tuple[Table, ...]:
        return (Table("Squares", ("n", "square"), (("2", "4"),), "all exact"),)

    def figures(self) -> tuple[Figure, ...]:
        return (FIGURE,)


FIGURE = Figure(
    "squares",
    "Squares",
    "n",
    "square",
    (Line("exact", (1, 2, 4), (1, 4, 16), (0.5, 3, 12), (2, 5, 20)),),
    log_x=True,
    log_y=True,
    goal=3,
)


def find(given: Given, tell: Tell) -> Found:
    tell(0.5, "squaring")
    return Found(tuple(n * n + given.seed for n in range(given.size)))


SIZES = {Size.QUICK: 3, Size.USUAL: 9, Size.LONG: 27}

TOY = Benchmark("toy", "squares", lambda size, seed: Given(SIZES[size], seed), find)


@pytest.fixture
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "toy", TOY)


@pytest.mark.usefixtures("_toy")
def test_runner_prints_a_table_and_writes_input_and_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "out.json"
    assert runner.main(["toy", "--quick", "--seed", "5", "--json", str(path)]) == 0
    assert "Squares" in capsys.readouterr().out
    report = json.loads(path.read_text())
    assert report["benchmarks"]["toy"]["input"] == {"size": 3, "seed": 5}
    assert report["benchmarks"]["toy"]["output"] == {"squares": [5, 6, 9]}
    assert report["machine"]["processors"] >= 1


@pytest.mark.usefixtures("_toy")
def test_runner_draws_both_formats(tmp_path: Path) -> None:
    assert runner.main(["toy", "--quick", "--plot", str(tmp_path / "plots")]) == 0
    assert (tmp_path / "plots" / "squares.png").read_bytes().startswith(b"\x89PNG")
    text = "".join(ElementTree.parse(tmp_path / "plots" / "squares.svg").getroot().itertext())
    assert all(word in text for word in ("Squares", "exact", "goal", "square"))


@pytest.mark.usefixtures("_toy")
def test_reference_run_tells_its_date_its_machine_and_its_tables(tmp_path: Path) -> None:
    assert runner.main(["toy", "--reference", str(tmp_path)]) == 0
    (folder,) = tmp_path.iterdir()
    date.fromisoformat(folder.name)
    report = json.loads((folder / "results.json").read_text())
    assert report["benchmarks"]["toy"]["input"]["size"] == 9
    tables = (folder / "tables.txt").read_text()
    assert all(word in tables for word in ("processor: ", "python: ", "toy: ", "square"))


def test_benchmark_that_fails_does_not_keep_the_others_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(given: Given, tell: Tell) -> Found:
        raise TimeoutError("nobody leads")

    monkeypatch.setitem(CATALOGUE, "sick", Benchmark("sick", "", TOY.given, fail))
    monkeypatch.setitem(CATALOGUE, "toy", TOY)
    path = tmp_path / "out.json"
    assert runner.main(["sick", "toy", "--json", str(path)]) == 1
    reports = json.loads(path.read_text())["benchmarks"]
    assert reports["sick"] == {"error": "TimeoutError: nobody leads"}
    assert reports["toy"]["output"]["squares"][2] == 4


def test_command_runs_a_benchmark_of_real_processes_from_end_to_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "contention-udp", "--quick"),
            *("--json", tmp_path / "out.json", "--plot", tmp_path / "plots"),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "ranked" in done.stdout
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["benchmarks"]["contention-udp"]["output"]["rows"]
    assert len(list((tmp_path / "plots").glob("*.svg"))) == 2


def test_place_that_is_not_there_is_refused_before_anything_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        runner.main(["load", "--where", "/nowhere"])
    assert "no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("where", "given"), [("memory", "disk"), (("memory",), ["disk", "memory"])]
)
def test_places_go_to_benchmarks_of_one_place_and_of_several(
    where: object, given: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @frozen
    class Somewhere(Given):
        where: object

    toy = Benchmark("toy", "", lambda size, seed: Somewhere(1, seed, where), find)
    monkeypatch.setitem(CATALOGUE, "toy", toy)
    path = tmp_path / "out.json"
    assert runner.main(["toy", "--where", "disk", "--where", "memory", "--json", str(path)]) == 0
    said = json.loads(path.read_text())["benchmarks"]["toy"]["input"]["where"]
    assert said == given


def test_equal_figures_make_equal_files(tmp_path: Path) -> None:
    one, other = (
        [path.read_bytes() for path in draw([FIGURE], tmp_path / name)] for name in ("a", "b")
    )
    assert one == other


def test_unknown_benchmark_is_refused_with_the_names_of_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        runner.main(["nonsense"])
    assert "contention" in capsys.readouterr().err


def test_percentiles_are_samples() -> None:
    spread = Spread.of(range(1, 101))
    assert (spread.p10, spread.p50, spread.p90, spread.p99, spread.most) == (10, 50, 90, 99, 100)


def test_nothing_measured_is_no_error() -> None:
    assert Spread.of([]).count == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.0, "1.00"),
        (12.345, "12.3"),
        (123.4, "123"),
        (1234, "1,234"),
        (0.01234, "0.0123"),
    ],
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_a_missing_extra_is_named() -> None:
    lines = "import runpy, sys; sys.modules['rich'] = None; runpy.run_module('benchmarks')"
    run = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "The benchmarks need rich. Install it with: pip install '.[bench]'\n"
