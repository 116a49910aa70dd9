from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from paxos.cli.app import paxos as main

GOOD = [
    {"process": 1, "type": "invoke", "f": "write", "key": "x", "value": 3},
    {"process": 1, "type": "ok", "f": "write", "key": "x", "value": 3},
    {"process": 2, "type": "invoke", "f": "read", "key": "x", "value": None},
    {"process": 2, "type": "ok", "f": "read", "key": "x", "value": 3},
]
BAD = [*GOOD[:3], {"process": 2, "type": "ok", "f": "read", "key": "x", "value": None}]


def write(path: Path, *events: Any) -> str:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return str(path)


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments])


def test_linearizable_history_exits_0(tmp_path: Path) -> None:
    result = check(write(tmp_path / "h", *GOOD))
    assert result.exit_code == 0
    assert "linearizable (2 operations" in result.stdout


def test_history_that_is_not_exits_1_and_shows_why(tmp_path: Path) -> None:
    result = check(write(tmp_path / "h", *BAD))
    assert result.exit_code == 1
    assert "not linearizable" in result.stdout
    assert "read -> null" in result.stdout


def test_every_file_has_a_verdict(tmp_path: Path) -> None:
    good, bad = write(tmp_path / "good", *GOOD), write(tmp_path / "bad", *BAD)
    result = check(good, bad, good, "--json")
    assert result.exit_code == 1
    described = json.loads(result.stdout)
    assert [set(each) for each in described] == [
        {"file", "linearizable", "operations", "seconds"}
    ] * 3
    assert [each["file"] for each in described] == [good, bad, good]
    assert [each["linearizable"] for each in described] == [True, False, True]
    assert [each["operations"] for each in described] == [2, 2, 2]
    assert all(isinstance(each["seconds"], float) for each in described)


def test_empty_history_is_linearizable(tmp_path: Path) -> None:
    result = check(write(tmp_path / "h"), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)[0]["operations"] == 0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense", "line 1"),
        ("[1, 2]", "not a JSON object"),
        ("\xff\xfe", "line 1"),
        ('{"process": 1, "type": "ok", "f": "read", "value": 1}', "ends what it did not invoke"),
        ('{"type": "invoke", "f": "read"}', "no process"),
        ('{"process": 1, "type": "begin", "f": "read"}', "is none of invoke, ok, fail, info"),
        ('{"process": 1, "type": "invoke", "f": "increment", "value": 1}', "is none of read"),
        ('{"process": 1, "type": "invoke", "f": "write"}', "write has no value"),
        ('{"process": 1, "type": "invoke", "f": "cas", "value": 3}', "[expected, new]"),
        ('{"process": 1, "type": "invoke", "f": "write", "value": NaN}', "no JSON value"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_unreadable_line_exits_2_and_says_why(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "h"
    path.write_bytes(line.encode("latin-1") + b"\n")
    result = check(str(path))
    assert result.exit_code == 2
    assert why in result.stderr
    assert "Traceback" not in result.output


def test_process_that_does_two_things_at_once_exits_2(tmp_path: Path) -> None:
    result = check(write(tmp_path / "h", GOOD[0], GOOD[0]))
    assert result.exit_code == 2
    assert "has not ended" in result.stderr


def test_completion_of_another_operation_exits_2(tmp_path: Path) -> None:
    for change in ({"f": "read"}, {"key": "y"}):
        result = check(write(tmp_path / "h", GOOD[0], GOOD[1] | change))
        assert result.exit_code == 2


def test_missing_file_exits_2(tmp_path: Path) -> None:
    assert check(str(tmp_path / "nowhere")).exit_code == 2
    assert check().exit_code == 2


def test_unreadable_file_among_others_exits_2(tmp_path: Path) -> None:
    good, bad = write(tmp_path / "good", *GOOD), write(tmp_path / "bad", 7)
    assert check(good, bad).exit_code == 2


def test_model_that_does_not_fit_exits_2(tmp_path: Path) -> None:
    result = check(write(tmp_path / "h", *GOOD), "--model", "append")
    assert result.exit_code == 2
    assert "none of the model's append, read" in result.stderr


@pytest.mark.parametrize("model", ["register", "kv"])
def test_models_of_values(tmp_path: Path, model: str) -> None:
    assert check(write(tmp_path / "h", *GOOD), "--model", model).exit_code == 0
    assert check(write(tmp_path / "h", *BAD), "--model", model).exit_code == 1


def test_register_needs_no_keys(tmp_path: Path) -> None:
    events = [{k: v for k, v in event.items() if k != "key"} for event in GOOD]
    assert check(write(tmp_path / "h", *events), "--model", "register").exit_code == 0


def test_lists_are_recognised_by_their_appends(tmp_path: Path) -> None:
    events = [
        {"process": 1, "type": "invoke", "f": "append", "key": "x", "value": 1},
        {"process": 1, "type": "ok", "f": "append", "key": "x", "value": 1},
        {"process": 1, "type": "invoke", "f": "read", "key": "x"},
        {"process": 1, "type": "ok", "f": "read", "key": "x", "value": [1]},
    ]
    assert check(write(tmp_path / "h", *events)).exit_code == 0
    assert check(write(tmp_path / "h", *events[:3], events[3] | {"value": []})).exit_code == 1


def test_failed_cas_is_an_observation_only_with_strict_cas(tmp_path: Path) -> None:
    cas = {"process": 1, "f": "cas", "key": "x", "value": [3, 4]}
    path = write(tmp_path / "h", *GOOD, cas | {"type": "invoke"}, cas | {"type": "fail"})
    assert check(path).exit_code == 0
    assert check(path, "--strict-cas").exit_code == 1


def test_blank_lines_unknown_fields_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "h"
    lines = [json.dumps(event | {"time": 17}) for event in GOOD]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(lines).encode() + b"\r\n")
    assert check(str(path)).exit_code == 0


def test_what_takes_too_long_is_undecided_and_exits_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paxos.testing.linearizability import search, verdict

    def tired(problem: object, budget: object) -> bool:
        raise search.UndecidedError

    monkeypatch.setattr(verdict, "solve", tired)
    result = check(write(tmp_path / "h", *GOOD), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)[0]["linearizable"] is None
