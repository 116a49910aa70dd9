from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from paxos.cli import app, propose, status
from paxos.errors import ConfigError, PaxosError
from paxos.node.cluster import Cluster


def paxos(*arguments: object) -> Result:
    return CliRunner().invoke(app.paxos, [str(argument) for argument in arguments])


@pytest.fixture
def cluster_file(tmp_path: Path) -> Path:
    file = tmp_path / "cluster.toml"
    Cluster.generate(3).save(file)
    return file


def test_init_makes_a_cluster_and_says_what_it_survives(tmp_path: Path) -> None:
    result = paxos("init", tmp_path / "new", "--nodes", 4, "--base-port", 9000)
    assert result.exit_code == 0
    cluster = Cluster.load(tmp_path / "new" / "cluster.toml")
    assert [member.address for member in cluster.members][3] == "127.0.0.1:9003"
    assert "4 members survive the failure of 1, as 3 would." in result.output
    assert cluster.keys.keys[0].hex() not in result.output


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        (1, "1 member survives no failure."),
        (2, "2 members survive no failure, as 1 would."),
        (3, "3 members survive the failure of 1."),
        (5, "5 members survive the failure of 2."),
    ],
)
def test_init_tells_the_truth_about_every_size(tmp_path: Path, nodes: int, says: str) -> None:
    assert says in paxos("init", tmp_path, "--nodes", nodes).output


def test_init_never_overwrites(cluster_file: Path) -> None:
    before = {file: file.read_bytes() for file in cluster_file.parent.iterdir()}
    result = paxos("init", cluster_file.parent)
    assert result.exit_code == 2
    assert "never overwritten" in result.stderr
    assert {file: file.read_bytes() for file in cluster_file.parent.iterdir()} == before


def test_init_refuses_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = paxos("init", tmp_path / "file" / "below")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be created" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["init"],
        ["init", "DIR", "--nodes", "0"],
        ["init", "DIR", "--base-port", "65534", "--nodes", "4"],
        ["init", "DIR", "--host", "a b"],
        ["serve", "--cluster", "missing.toml", "--node", "node1", "--data", "d.db"],
        ["serve", "--node", "node1"],
        ["status", "--cluster", "missing.toml"],
        ["status", "--cluster", "."],
        ["propose", "--cluster", "missing.toml", "text"],
        ["propose", "--cluster", "missing.toml"],
        ["readmit", "--cluster", "missing.toml", "--without", "node2", "--yes", "node3"],
        ["readmit", "--cluster", "missing.toml", "node3"],
        ["demo", "--nodes", "0"],
        ["demo", "--subscriptions", "many"],
        ["demo", "--kills", "-1"],
    ],
)
def test_bad_input_is_explained_with_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = paxos(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


def test_serve_refuses_a_node_that_is_no_member(cluster_file: Path, tmp_path: Path) -> None:
    result = paxos("serve", "--cluster", cluster_file, "--node", "x", "--data", tmp_path / "d.db")
    assert result.exit_code == 2
    assert "it has node1, node2, node3" in result.stderr


@pytest.mark.parametrize("command", ["init", "serve", "status", "propose", "readmit", "demo"])
def test_every_command_explains_itself(command: str) -> None:
    assert command in paxos("--help").output
    result = paxos(command, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.output


@pytest.mark.parametrize("command", [["status"], ["propose", "text"], ["kv", "get", "key"]])
def test_a_timeout_is_a_number(cluster_file: Path, command: list[str]) -> None:
    result = paxos(*command, "--cluster", cluster_file, "--timeout", "nan")
    assert result.exit_code == 2
    assert "'nan' is no number" in result.stderr


def test_a_command_that_is_no_unicode_is_proposed_as_its_bytes(
    cluster_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(_: Cluster, command: bytes, __: float) -> tuple[int, bytes]:
        return 3, command

    monkeypatch.setattr(propose, "_propose", answer)
    result = paxos("propose", "--cluster", cluster_file, os.fsdecode(b"a\xff"))
    assert (result.exit_code, result.stdout) == (0, "slot 3: a\\xff\n")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (PaxosError("no quorum"), 1, "Error: no quorum\n"),
        (ConfigError("no such field"), 2, "Error: no such field\n"),
        (ExceptionGroup("nursery", [PaxosError("no quorum")]), 1, "Error: no quorum\n"),
        (KeyboardInterrupt(), 130, ""),
        (
            BaseExceptionGroup("nursery", [PaxosError("ended"), KeyboardInterrupt()]),
            130,
            "",
        ),
    ],
)
def test_an_error_becomes_a_sentence_and_a_status(
    cluster_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    says: str,
) -> None:
    async def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(propose, "_propose", fail)
    result = paxos("propose", "--cluster", cluster_file, "text")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.strip() == says.strip()


def test_a_bug_is_not_hidden(cluster_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(propose, "_propose", fail)
    result = paxos("propose", "--cluster", cluster_file, "text")
    assert isinstance(result.exception, RuntimeError)


def test_propose_prints_slot_and_answer(
    cluster_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(*_: object) -> tuple[int, bytes]:
        return 12, b"seven\xff"

    monkeypatch.setattr(propose, "_propose", answer)
    result = paxos("propose", "--cluster", cluster_file, "text")
    assert (result.exit_code, result.stdout) == (0, "slot 12: seven\\xff\n")


def test_status_without_answers_exits_1_and_says_why(
    cluster_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(*_: object) -> dict[str, None]:
        return {}

    monkeypatch.setattr(status, "_ask", silence)
    for option in ([], ["--json"]):
        result = paxos("status", "--cluster", cluster_file, *option)
        assert result.exit_code == 1
        assert "only 0 of 3 members answer; 2 are needed" in result.stdout


def test_without_the_extra_the_command_says_how_to_install_it() -> None:
    code = "import sys; sys.modules['click'] = None; from paxos.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert result.returncode == 1
    assert "pip install 'trio-paxos[cli]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_readmit_asks_whether_you_are_sure(cluster_file: Path) -> None:
    result = paxos("readmit", "--cluster", cluster_file, "--without", "node2", "node3")
    assert result.exit_code == 1
    assert "gone for ever?" in result.stderr


def test_readmit_knows_the_members(cluster_file: Path) -> None:
    result = paxos("readmit", "--cluster", cluster_file, "--without", "x", "--yes", "node3")
    assert result.exit_code == 2
    assert "'x' is no member" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("arguments", [["--help"], ["init", "new"], ["status", "--json"]])
def test_a_result_that_cannot_be_written_is_an_error_in_one_line(
    arguments: list[str], tmp_path: Path, cluster_file: Path
) -> None:
    if arguments[0] == "status":
        arguments += ["--cluster", str(cluster_file), "--timeout", "0.01"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "paxos.cli", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
        )
    assert (done.returncode, done.stderr) == (1, "Error: No space left on device\n")


def test_nothing_heavy_is_imported_before_ctrl_c_is_minded() -> None:
    code = "import paxos.cli, sys; sys.exit(bool({'trio', 'click', 'attrs'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_lists_every_command_and_each_has_help() -> None:
    listed = paxos("--help").stdout
    for name in app.NAMES:
        assert f"\n  {name} " in listed
        result = paxos(name, "--help")
        assert result.exit_code == 0
        assert "Usage: paxos " + name in result.stdout
