from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from attrs import evolve

from paxos.errors import ConfigError
from paxos.node.cluster import Cluster, Member, Timing

GOOD = """
name = "billing"
key_file = "cluster.key"
[[members]]
name = "node1"
host = "127.0.0.1"
port = 7401
"""


def written(folder: Path, text: str = GOOD, key: str = "ab" * 32) -> Path:
    key_file = folder / "cluster.key"
    key_file.write_text(key)
    key_file.chmod(0o600)
    file = folder / "cluster.toml"
    file.write_text(text)
    return file


def refusal(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        Cluster.load(file)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_what_was_saved_is_loaded_again(tmp_path: Path) -> None:
    cluster = evolve(
        Cluster.generate(4, host="db.example"),
        timing=Timing(heartbeat=0.5, suspicion=2, lease=7, drift=0.05, lease_reads=True),
        max_datagram=9000,
        window=7,
    )
    cluster.save(tmp_path / "cluster.toml")
    assert Cluster.load(tmp_path / "cluster.toml") == cluster


def test_defaults_need_not_be_written(tmp_path: Path) -> None:
    cluster = Cluster.load(written(tmp_path))
    assert cluster == Cluster("billing", (Member("node1", "127.0.0.1", 7401),), b"\xab" * 32)
    assert (cluster.timing, cluster.window) == (Timing(0.025, 0.15, 1.0, 0.01), 64)


def test_lease_is_a_second_or_as_long_as_patience_demands() -> None:
    assert Timing().lease == 1.0
    assert Timing(heartbeat=0.5, suspicion=2).lease == 4
    assert Timing(heartbeat=0.01, suspicion=0.05, lease=0.1).lease == 0.1


def test_every_new_cluster_has_a_new_name_and_key() -> None:
    one, other = Cluster.generate(3), Cluster.generate(3)
    assert one.name != other.name
    assert one.keys != other.keys
    assert one.members == other.members


def test_a_local_cluster_has_ports_of_its_own() -> None:
    assert len({member.port for member in Cluster.local(5).members}) == 5


def test_key_is_never_shown(tmp_path: Path) -> None:
    cluster = Cluster.generate(1)
    (key,) = cluster.keys.keys
    assert key.hex() not in repr(cluster)
    assert repr(key) not in repr(cluster)
    secret = "cd" * 31 + "zz"
    assert "cdcd" not in refusal(written(tmp_path, key=secret))


def test_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        Cluster.generate(1).save(tmp_path / "cluster.toml")
    finally:
        os.umask(previous)
    assert (tmp_path / "cluster.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    file = written(tmp_path)
    (tmp_path / "cluster.key").chmod(mode)
    assert "chmod 600" in refusal(file)


@pytest.mark.parametrize("name", ["cluster.toml", "cluster.key"])
def test_save_overwrites_nothing_and_leaves_nothing_half_done(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match="never overwritten"):
        Cluster.generate(1).save(tmp_path / "cluster.toml")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(name, "mine")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "name is missing; give a string"),
        ("name = ", "is not valid TOML"),
        (GOOD.replace("7401", "true"), "members[1].port must be a whole number, not True"),
        (GOOD.replace("7401", '"7401"'), "members[1].port must be a whole number, not '7401'"),
        (GOOD.replace("7401", "0"), "port of node1 must be 1 to 65535, not 0"),
        (GOOD.replace('host = "127.0.0.1"', ""), "members[1].host is missing"),
        (GOOD.replace('"127.0.0.1"', '"a b"'), "host of node1 must be"),
        (GOOD.replace('"node1"', '"Node1"'), "the member name 'Node1' must be"),
        (GOOD.replace('"node1"', '"client-1"'), "must not start with 'client-'"),
        (GOOD.replace('"billing"', "7"), "name must be a string, not 7"),
        (GOOD.replace('"billing"', '"a/b"'), "the cluster's name 'a/b' must be"),
        (GOOD.replace("[[members]]", "[members]"), "members must be a list of tables"),
        (GOOD.replace('"cluster.key"', '"other.key"'), "other.key does not exist; copy it"),
        (GOOD + "weight = 2", "members[1].weight is not a setting"),
        ("windw = 3\n" + GOOD, "windw is not a setting"),
        ("window = 0\n" + GOOD, "window must be 1 to 256 slots"),
        ("window = 257\n" + GOOD, "look ahead, not 257"),
        ("max_datagram = 100\n" + GOOD, "max_datagram must be 1024 to 65507 bytes, not 100"),
        ("timing = 3\n" + GOOD, "timing must be a table, not 3"),
        (GOOD + "[timing]\nheartbeats = 1", "timing.heartbeats is not a setting"),
        (GOOD + "[timing]\nheartbeat = '1'", "timing.heartbeat must be a number, not '1'"),
        (GOOD + "[timing]\nheartbeat = nan", "timing.heartbeat must be 0.001 to 3600 seconds"),
        (GOOD + "[timing]\nheartbeat = 0.1", "raise it to 0.4 or lower timing.heartbeat to 0.0375"),
        (GOOD + "[timing]\nlease = 0.05", "timing.lease must be 0.1 to 86400 seconds, not 0.05"),
        (GOOD + "[timing]\nlease = inf", "timing.lease must be 0.1 to 86400 seconds, not inf"),
        (GOOD + "[timing]\nlease = 0.2", "raise it to 0.3 or lower timing.suspicion to 0.1"),
        (GOOD + "[timing]\nlease = '1'", "timing.lease must be a number, not '1'"),
        (GOOD + "[timing]\ndrift = 0.5", "timing.drift must be 0 to 0.2, not 0.5"),
        (GOOD + "[timing]\ndrift = nan", "timing.drift must be 0 to 0.2, not nan"),
        (GOOD + "[timing]\nlease_reads = 1", "timing.lease_reads must be true or false, not 1"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, says: str) -> None:
    assert says in refusal(written(tmp_path, text))


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    assert "paxos init" in refusal(tmp_path / "cluster.toml")


def test_two_members_cannot_share_a_name_or_an_address() -> None:
    one = Member("node1", "127.0.0.1", 1)
    for other, says in [
        (Member("node1", "127.0.0.1", 2), "the name node1"),
        (Member("node2", "127.0.0.1", 1), "the address 127.0.0.1:1"),
    ]:
        with pytest.raises(ConfigError, match=says):
            Cluster("billing", (one, other), bytes(32))


def test_a_cluster_needs_members_and_a_whole_key() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        Cluster.generate(0)
    with pytest.raises(ConfigError, match="32 bytes, not 5"):
        Cluster("billing", (Member("node1", "127.0.0.1", 1),), b"short")


@pytest.mark.parametrize(("size", "survives"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (7, 3)])
def test_a_minority_may_fail(size: int, survives: int) -> None:
    cluster = Cluster.generate(size)
    assert cluster.survives == survives
    assert cluster.quorum + cluster.survives == size


def test_datagrams_are_large_only_where_all_members_are_on_loopback() -> None:
    near = Cluster.generate(3)
    far = Member("node9", "10.0.0.9", 7400)
    assert near.datagram_limit == 60_000
    assert evolve(near, members=(*near.members, far)).datagram_limit == 1_400
    assert evolve(near, max_datagram=1100).datagram_limit == 1100


def test_a_member_is_found_by_name() -> None:
    cluster = Cluster.generate(3)
    assert cluster.member("node2") is cluster.members[1]
    with pytest.raises(ConfigError, match="it has node1, node2, node3"):
        cluster.member("node4")


def test_a_full_disk_leaves_no_half_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(ConfigError, match="cannot be written: No space left on device"):
            Cluster.generate(3).save(tmp_path / "cluster.toml")
    assert list(tmp_path.iterdir()) == []
    Cluster.generate(3).save(tmp_path / "cluster.toml")
