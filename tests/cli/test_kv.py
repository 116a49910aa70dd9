from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner, Result

from paxos.cli import app, kv
from paxos.errors import CommandFailed, OutcomeUnknown
from paxos.machines import KeyValue, KeyValueClient, Put
from paxos.machines import store as store_module
from paxos.machines.commands import encode
from paxos.node.cluster import Cluster


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> KeyValue:
    """A machine that is asked without any cluster; a watcher is interrupted once it has all."""
    machine = KeyValue()

    async def propose(command: bytes) -> bytes:
        return machine.apply(command)

    async def query(question: bytes) -> bytes:
        try:
            return machine.query(question)
        except ValueError as error:
            raise CommandFailed(str(error)) from None

    @asynccontextmanager
    async def connected(cluster: Cluster, timeout: float) -> AsyncIterator[KeyValueClient]:
        yield KeyValueClient(propose, query)

    async def sleep(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kv, "_connected", connected)
    monkeypatch.setattr(trio, "sleep", sleep)
    return machine


@pytest.fixture
def cluster_file(tmp_path: Path) -> Path:
    Cluster.local(1).save(tmp_path / "cluster.toml")
    return tmp_path / "cluster.toml"


def run(cluster_file: Path, command: str, *arguments: object, stdin: bytes | None = None) -> Result:
    options = [command, "--cluster", str(cluster_file), *map(str, arguments)]
    return CliRunner().invoke(app.paxos, ["kv", *options], input=stdin)


def test_value_is_put_read_and_deleted(machine: KeyValue, cluster_file: Path) -> None:
    assert run(cluster_file, "put", "k", "red").stdout == "revision 1\n"
    assert run(cluster_file, "get", "k").stdout == "red\n"
    assert run(cluster_file, "delete", "k").stdout == "deleted\n"
    missing = run(cluster_file, "get", "k")
    assert (missing.exit_code, missing.stdout, missing.stderr) == (1, "", "k is not there\n")
    assert run(cluster_file, "delete", "k").exit_code == 1


def test_value_that_is_no_text_is_taken_as_it_was_given(
    machine: KeyValue, cluster_file: Path
) -> None:
    given = os.fsdecode(b"\xff")  # as Python hands it to a program
    assert run(cluster_file, "put", "k", given).exit_code == 0
    assert machine["k"] == b"\xff"
    assert run(cluster_file, "cas", "k", "red", "--expected", given).exit_code == 0
    assert run(cluster_file, "put", given, "red").exit_code == 1


@pytest.mark.parametrize("answer", [b"1", b"17:x", b""])
async def test_answer_of_another_machine_is_told_as_such(answer: bytes) -> None:
    async def ask(command: bytes) -> bytes:
        return answer

    with pytest.raises(CommandFailed, match="do the members run another"):
        await KeyValueClient(ask, ask).put("k", b"red")


def test_value_is_set_only_if_it_is_as_expected(machine: KeyValue, cluster_file: Path) -> None:
    assert run(cluster_file, "cas", "k", "red", "--absent").exit_code == 0
    taken = run(cluster_file, "cas", "k", "blue", "--absent")
    assert (taken.exit_code, taken.stdout) == (1, "not set: it is red\n")
    assert run(cluster_file, "cas", "k", "blue", "--expected", "red").stdout == "revision 2\n"
    other = run(cluster_file, "cas", "x", "blue", "--expected", "red")
    assert (other.exit_code, other.stdout) == (1, "not set: x is not there\n")
    assert machine["k"] == b"blue"
    for wrong in ((), ("--absent", "--expected", "red")):
        assert run(cluster_file, "cas", "k", "v", *wrong).exit_code == 2


def test_range_is_printed_whole_or_up_to_a_limit(machine: KeyValue, cluster_file: Path) -> None:
    for number in range(1500):
        machine.apply(encode(Put(f"k{number:04}", b"%d" % number)))
    machine.apply(encode(Put("other", b"")))
    lines = run(cluster_file, "range", "k").stdout.splitlines()
    assert lines == [f"k{number:04}\t{number}" for number in range(1500)]
    assert len(run(cluster_file, "range").stdout.splitlines()) == 1501
    assert len(run(cluster_file, "range", "--limit", 1200).stdout.splitlines()) == 1200
    assert run(cluster_file, "range", "none").stdout == ""


def test_changes_are_printed_until_interrupted(machine: KeyValue, cluster_file: Path) -> None:
    for value in ("1", "2"):
        run(cluster_file, "put", "k", value)
    run(cluster_file, "delete", "k")
    watched = run(cluster_file, "watch", "k", "--since", 1)
    assert watched.stdout == "2\tput\tk\t2\n3\tdelete\tk\n"
    assert watched.exit_code == 130
    assert run(cluster_file, "watch", "other", "--since", 0).stdout == ""


def test_watcher_of_compacted_changes_is_told_so(
    machine: KeyValue, cluster_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_CHANGES", 2)
    for number in range(5):
        run(cluster_file, "put", "k", number)
    watched = run(cluster_file, "watch", "--since", 1)
    assert watched.exit_code == 1
    assert "changes up to revision 3 were compacted" in watched.stderr


def test_everything_is_also_json(machine: KeyValue, cluster_file: Path) -> None:
    def as_json(command: str, *arguments: object) -> object:
        return json.loads(run(cluster_file, command, *arguments, "--json").stdout)

    assert as_json("put", "k", "red") == {"key": "k", "revision": 1}
    item = {"key": "k", "value": "red", "created": 1, "modified": 1, "version": 1}
    assert as_json("get", "k") == as_json("range") == item
    assert as_json("get", "x") == {"key": "x", "value": None}
    assert as_json("cas", "k", "blue", "--expected", "green") == {
        "key": "k",
        "set": False,
        "revision": 1,
        "found": "red",
    }
    assert as_json("cas", "k", "blue", "--expected", "red") == {
        "key": "k",
        "set": True,
        "revision": 2,
    }
    assert as_json("delete", "k") == {"key": "k", "deleted": True}
    assert as_json("watch", "--since", 2) == {
        "revision": 3,
        "change": "delete",
        "key": "k",
        "value": None,
    }


def test_value_may_be_any_bytes_from_standard_input(machine: KeyValue, cluster_file: Path) -> None:
    assert run(cluster_file, "put", "k", "-", stdin=b"\xff\x00").exit_code == 0
    assert machine["k"] == b"\xff\x00"
    assert run(cluster_file, "get", "k").stdout_bytes == b"\xff\x00\n"
    shown = json.loads(run(cluster_file, "get", "k", "--json").stdout)
    assert shown["value"] == {"base64": "/wA="}


def test_what_no_machine_would_take_is_explained(machine: KeyValue, cluster_file: Path) -> None:
    refused = run(cluster_file, "put", "", "v")
    assert (refused.exit_code, refused.stderr) == (1, "Error: a key is not empty\n")


def test_unknown_outcome_is_an_error(cluster_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def connected(cluster: Cluster, timeout: float) -> AsyncIterator[KeyValueClient]:
        async def fail(command: bytes) -> bytes:
            raise OutcomeUnknown("nobody knows")

        yield KeyValueClient(fail, fail)

    monkeypatch.setattr(kv, "_connected", connected)
    failed = run(cluster_file, "put", "k", "v")
    assert (failed.exit_code, failed.stderr) == (1, "Error: nobody knows\n")


@pytest.mark.parametrize(
    ("machine_name", "complaint"),
    [
        ("kw", "'kw' is none of kv, counter, and no package.module:Class"),
        ("paxos.nowhere:Class", "cannot be made: No module named 'paxos.nowhere'"),
        ("paxos.machines:Nothing", "cannot be made: module 'paxos.machines' has no attribute"),
        ("paxos.machines:Put", "cannot be made"),
        ("collections:Counter", "is no state machine: it has no apply and no snapshot"),
        (":", "cannot be made"),
    ],
)
def test_machine_that_cannot_be_served_is_explained(
    cluster_file: Path, tmp_path: Path, machine_name: str, complaint: str
) -> None:
    result = CliRunner().invoke(
        app.paxos,
        [
            *("serve", "--cluster", str(cluster_file), "--node", "node1"),
            *("--data", str(tmp_path / "node1.db"), "--machine", machine_name),
        ],
    )
    assert result.exit_code == 2
    assert complaint in result.stderr
