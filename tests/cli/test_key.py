from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from paxos.cli import app
from paxos.node.cluster import Cluster


def key(*arguments: object) -> Result:
    return CliRunner().invoke(app.paxos, ["key", *map(str, arguments)])


@pytest.fixture
def cluster_file(tmp_path: Path) -> Path:
    file = tmp_path / "cluster.toml"
    Cluster.local(3).save(file)
    return file


def ids(cluster_file: Path) -> list[str]:
    keys: list[str] = json.loads(key("list", "--cluster", cluster_file, "--json").stdout)["keys"]
    return keys


def test_a_key_is_added_used_and_the_old_one_removed(cluster_file: Path) -> None:
    (old,) = ids(cluster_file)
    assert key("add", "--cluster", cluster_file).exit_code == 0
    new = ids(cluster_file)[1]
    assert key("use", new, "--force", "--cluster", cluster_file).exit_code == 0
    assert ids(cluster_file) == [new, old]
    assert key("remove", old, "--force", "--cluster", cluster_file).exit_code == 0
    assert ids(cluster_file) == [new]


def test_a_changed_key_file_is_for_its_owner_alone(cluster_file: Path) -> None:
    key("add", "--cluster", cluster_file)
    assert (cluster_file.parent / "cluster.key").stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in cluster_file.parent.iterdir()) == [
        "cluster.key",
        "cluster.toml",
    ]


def test_nothing_is_changed_while_a_member_does_not_answer(cluster_file: Path) -> None:
    key("add", "--cluster", cluster_file)
    before = ids(cluster_file)
    result = key("use", before[1], "--cluster", cluster_file)
    assert result.exit_code == 1
    assert "node1, node2, node3 did not answer" in result.stderr
    assert "copy" in result.stderr
    assert ids(cluster_file) == before


def test_what_cannot_be_is_said(cluster_file: Path) -> None:
    (old,) = ids(cluster_file)
    assert "seals: use another key first" in key("remove", old, "--cluster", cluster_file).stderr
    assert "has no key beef" in key("use", "beef", "--cluster", cluster_file).stderr
    for _ in range(7):
        assert key("add", "--cluster", cluster_file).exit_code == 0
    assert "remove an old key first" in key("add", "--cluster", cluster_file).stderr


def test_no_command_shows_a_key(cluster_file: Path) -> None:
    shown = ""
    for arguments in (["add"], ["list"], ["list", "--json"], ["add"], ["use", "beef"]):
        result = key(*arguments, "--cluster", cluster_file)
        shown += result.output
    shown += key("use", ids(cluster_file)[1], "--force", "--cluster", cluster_file).output
    for secret in Cluster.load(cluster_file).keys.keys:
        assert secret.hex() not in shown


def test_a_key_file_that_others_can_read_is_refused(cluster_file: Path) -> None:
    (cluster_file.parent / "cluster.key").chmod(0o644)
    result = key("list", "--cluster", cluster_file)
    assert result.exit_code == 2
    assert "chmod 600" in result.stderr
