"""``paxos verify``, ``backup``, ``restore`` and ``recover``, on journals that no node has open."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from paxos.cli import app
from paxos.node.cluster import Cluster
from paxos.node.journal_file import open_journal
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Learned, Record, Voted
from paxos.replicated.values import Leadership

OLD, LOW, HIGH = Cluster.generate(3), Ballot(1, "node1"), Ballot(2, "node2")


def paxos(*arguments: object) -> Result:
    return CliRunner().invoke(app.paxos, [str(argument) for argument in arguments])


def epoch(number: int) -> Leadership:
    return Leadership("node1", number)


def write(path: Path, node: str, *records: Record) -> Path:
    with closing(open_journal(path, OLD, node, pytest.fail)) as journal:
        journal.write(records)
    return path


@pytest.fixture
def new_cluster(tmp_path: Path) -> Path:
    Cluster.generate(3).save(tmp_path / "new.toml")
    return tmp_path / "new.toml"


def log(cluster_file: Path, into: Path) -> list[list[Record]]:
    cluster = Cluster.load(cluster_file)
    logs = []
    for name in cluster.names:
        with closing(open_journal(into / f"{name}.db", cluster, name, pytest.fail)) as journal:
            assert journal.doubt == ""
            logs.append(list(journal.recover()))
    return logs


def test_verify_tells_an_intact_journal_from_a_damaged_one(tmp_path: Path) -> None:
    path = write(tmp_path / "node1.db", "node1", Voted(0, LOW, epoch(1)))
    result = paxos("verify", path, "--json")
    described = json.loads(result.stdout)
    assert (result.exit_code, described["ok"], described["findings"]) == (0, True, [])
    assert described["facts"]["node"] == "node1"
    Path(f"{path}.witness").unlink()
    result = paxos("verify", path)
    assert result.exit_code == 1
    assert "witness is gone" in result.stdout
    assert paxos("verify", tmp_path / "nothing").exit_code == 1


def test_a_backup_gives_every_member_of_a_new_cluster_its_log(
    tmp_path: Path, new_cluster: Path
) -> None:
    learned = [Learned(slot, None, epoch(slot + 1)) for slot in range(5)]
    path = write(tmp_path / "node1.db", "node1", *learned, Voted(5, LOW, epoch(6)))
    assert paxos("backup", path, tmp_path / "copy").exit_code == 0
    arguments = (
        "restore",
        tmp_path / "copy",
        "--new-cluster",
        new_cluster,
        "--into",
        tmp_path / "d",
    )
    result = paxos(*arguments)
    assert result.exit_code == 0, result.output
    assert log(new_cluster, tmp_path / "d") == [learned] * 3
    result = paxos(*arguments)
    assert result.exit_code == 1
    assert "never overwritten" in result.stderr


def test_what_a_damaged_backup_says_is_not_restored(tmp_path: Path, new_cluster: Path) -> None:
    path = write(tmp_path / "node1.db", "node1", Learned(0, None, epoch(1)))
    assert paxos("backup", path, tmp_path / "copy").exit_code == 0
    data = bytearray((tmp_path / "copy").read_bytes())
    at = data.rindex(b"leader=node1, epoch=1")
    data[at] ^= 1
    (tmp_path / "copy").write_bytes(data)
    result = paxos(
        "restore", tmp_path / "copy", "--new-cluster", new_cluster, "--into", tmp_path / "d"
    )
    assert result.exit_code == 1
    assert "does not match its checksum" in result.stderr
    assert not (tmp_path / "d").exists()


def test_the_survivors_of_a_lost_quorum_tell_what_they_know(
    tmp_path: Path, new_cluster: Path
) -> None:
    """Of an open slot the vote of highest ballot counts; a gap ends it."""
    common = [Learned(slot, None, epoch(slot + 1)) for slot in range(3)]
    one = write(
        tmp_path / "node1.db",
        "node1",
        *common[:2],
        Voted(2, LOW, epoch(3)),
        Voted(3, LOW, epoch(9)),
    )
    other = write(
        tmp_path / "node2.db", "node2", *common, Voted(3, HIGH, epoch(4)), Voted(5, HIGH, epoch(6))
    )
    arguments = ("recover", one, other, "--new-cluster", new_cluster, "--into", tmp_path / "d")
    result = paxos(*arguments)
    assert result.exit_code == 1
    assert "never run again?" in result.stderr
    assert not (tmp_path / "d").exists()
    result = paxos(*arguments, "--yes")
    assert result.exit_code == 0, result.output
    assert "WARNING" in result.stdout
    assert log(new_cluster, tmp_path / "d") == [[*common, Learned(3, None, epoch(4))]] * 3
