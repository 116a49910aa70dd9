"""The peers benchmark: its clients' bytes, its judgement, and a run of what Python alone needs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from benchmarks.peers.base import Peer
from benchmarks.peers.compare import Given, run
from benchmarks.peers.comparison import KINDS, Comparison, Loss, Row
from benchmarks.peers.contests import OurElect
from benchmarks.peers.etcd import Etcd
from benchmarks.peers.holders import HolderLost, holder_table
from benchmarks.peers.http2 import DATA, END_STREAM, HEADERS, frame, header, protobuf_bytes
from benchmarks.peers.work import PeerFailed, Work, sum_up
from benchmarks.peers.zookeeper import packet, text

FAST = Work(commands=4000, elapsed=1.0, p50=0.001, p99=0.002, client=0.0)
SLOW = evolve(FAST, commands=1000, p50=0.004)


def test_peers_that_are_missing_are_named_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Etcd, "missing", classmethod(lambda cls: "not for this test"))
    names = ("paxos, in memory", "PySyncObj", "etcd")
    contests = ("paxos elect, hasty", "etcdctl elect")
    given = Given(0, names, names[:2], (1, 8), 0.2, 1, 1, contests, where=(str(tmp_path),))
    output = run(given, lambda done, doing: None)
    assert output.failures == ()
    absent = [("etcd", "not for this test"), ("etcdctl elect", "not for this test")]
    assert list(output.missing) == absent
    assert [row.peer for row in output.rows] == [name for name in names[:2] for _ in range(2)]
    assert all(row.work.commands > 0 for row in output.rows)
    assert all(idle.resident > 10 << 20 for idle in output.idle)
    assert [loss.fault for loss in output.losses] == ["kill -9", "SIGSTOP"] * 2
    assert all(loss.seconds > 0 for loss in output.losses)
    (lost,) = output.holders
    assert lost.contest == contests[0]
    assert lost.seconds > 0.01
    assert {table.title for table in output.tables()} >= {"Not found here"}
    assert list(tmp_path.iterdir()) == []


HERE = "a memory disk"


def ratio(*rows: Row) -> str:
    tables = Comparison((HERE,), (), rows, (), ()).tables()
    (ratios,) = (table for table in tables if table.title.startswith("Ours to theirs"))
    return ratios.rows[0][1]


def compared(theirs: Work) -> str:
    return ratio(Row("paxos", HERE, 64, 0, FAST), Row("etcd", HERE, 64, 0, theirs))


def test_ratio_is_ours_to_theirs() -> None:
    assert compared(SLOW) == "4.00 (0.25, 1.00)"


def test_no_win_is_called_where_the_client_was_the_bottleneck() -> None:
    assert compared(evolve(SLOW, client=0.95)) == "client-bound"


def test_ratios_are_of_the_same_round_and_their_median_counts() -> None:
    """The machine may be slower in one round than in another, for both."""
    slow = evolve(FAST, elapsed=10.0)
    rounds = ((FAST, SLOW), (slow, evolve(SLOW, elapsed=10.0)), (slow, SLOW))
    rows = [
        Row(peer, HERE, 64, turn, work)
        for turn, works in enumerate(rounds)
        for peer, work in zip(("paxos", "etcd"), works, strict=True)
    ]
    assert ratio(*rows).startswith("4.00")


def test_leader_losses_are_compared_by_fault() -> None:
    losses = (Loss("paxos", "SIGSTOP", 0.2), Loss("etcd", "SIGSTOP", 0.8))
    (table,) = Comparison((), (), (), (), losses).tables()
    assert [row[-1] for row in table.rows] == ["1.00", "0.25"]


def test_lost_holders_are_compared_usual_lease_to_usual_and_shortest_to_shortest() -> None:
    losses = (
        *(HolderLost("paxos elect", 0.9), HolderLost("etcdctl elect", 45.0)),
        *(HolderLost("paxos elect, hasty", 0.1), HolderLost("kazoo Election, hasty", 0.4)),
    )
    table = holder_table(losses)
    assert {row[0]: (row[1], row[-1]) for row in table.rows} == {
        "paxos elect": ("1,000, usual", "1.00"),
        "etcdctl elect": ("60,000, usual", "0.02"),
        "paxos elect, hasty": ("100, shortest", "1.00"),
        "kazoo Election, hasty": ("400, shortest", "0.25"),
    }


def test_a_contest_whose_candidate_ends_is_told(tmp_path: Path) -> None:
    class Hopeless(OurElect):
        def command(self, number: int) -> tuple[str, ...]:
            return ("/bin/sh", "-c", "echo it cannot be >&2")

    with (
        pytest.raises(PeerFailed, match="a candidate has ended: it cannot be"),
        Hopeless(tmp_path / "x"),
    ):
        pass


def test_every_peer_says_what_is_durable_and_who_proposes() -> None:
    assert all(issubclass(peer, Peer) and peer.durability and peer.client for peer in each_peer())


def each_peer() -> Iterator[type[Peer]]:
    yield from KINDS.values()


def test_work_without_answers_is_an_error() -> None:
    with pytest.raises(Exception, match="no command was answered"):
        sum_up([], 1.0, 0.0)


def test_frames_of_http2_have_the_layout_of_the_standard() -> None:
    assert frame(DATA, END_STREAM, 3, b"abc") == b"\0\0\3" + b"\0\1" + b"\0\0\0\3" + b"abc"
    assert frame(HEADERS, 0, 1, b"")[3] == 1
    assert header("te", "trailers") == b"\0\2te\x08trailers"
    assert protobuf_bytes(2, b"xy") == b"\x12\2xy"


def test_packets_of_zookeeper_are_counted() -> None:
    assert packet(text(b"ab")) == struct.pack(">ii", 6, 2) + b"ab"
