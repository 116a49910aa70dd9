"""A damaged journal is found before its node says anything, and steps aside for a new one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from paxos.journal import JournalCorrupt, JournalError
from paxos.node.cluster import Cluster
from paxos.node.journal_file import open_journal
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Learned, Promised, Voted
from paxos.replicated.values import Leadership

BALLOT = Ballot(3, "node2")
VALUE = Leadership("node2", 1)


def cluster(nodes: int = 3) -> Cluster:
    return Cluster.local(nodes)


def voted(path: Path, of: Cluster) -> None:
    """A life that learned slot 0 and voted in slot 1."""
    with closing(open_journal(path, of, "node1", pytest.fail)) as journal:
        assert journal.doubt == ""
        journal.write([Voted(0, BALLOT, VALUE), Learned(0, BALLOT, VALUE), Voted(1, BALLOT, VALUE)])


def damage(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE votes SET value = x'00' WHERE slot = 0",
        "DELETE FROM votes WHERE slot = 1",
        "UPDATE about SET value = '9.node1' WHERE key = 'promised'",
        "DROP TABLE votes",
    ],
)
def test_a_damaged_journal_is_set_aside_and_its_successor_does_not_vote(
    tmp_path: Path, statement: str
) -> None:
    path, three, said = tmp_path / "node1.db", cluster(), list[str]()
    voted(path, three)
    damage(path, statement)
    with closing(open_journal(path, three, "node1", said.append)) as journal:
        assert list(journal.recover()) == []
        assert journal.doubt.startswith("the journal is gone: it had")
        first_boot = journal.boot
    (told,) = said
    assert "kept as node1.db.damaged-1" in told
    assert (tmp_path / "node1.db.damaged-1").exists()
    with closing(open_journal(path, three, "node1", said.append)) as journal:
        assert journal.doubt
        assert journal.boot > first_boot
    assert len(said) == 1


def test_a_second_damage_overwrites_nothing(tmp_path: Path) -> None:
    path, three, said = tmp_path / "node1.db", cluster(), list[str]()
    for _ in range(2):
        with closing(open_journal(path, three, "node1", said.append)) as journal:
            journal.write([Promised(BALLOT)])
        damage(path, "UPDATE about SET value = 7 WHERE key = 'promised'")
    open_journal(path, three, "node1", said.append).close()
    assert [text.split("kept as ")[1].split(",")[0] for text in said] == [
        "node1.db.damaged-1",
        "node1.db.damaged-2",
    ]


def test_the_only_member_keeps_its_damaged_journal(tmp_path: Path) -> None:
    """Nobody could give back what it has lost, so a person must decide."""
    path, alone = tmp_path / "node1.db", cluster(1)
    voted(path, alone)
    damage(path, "DELETE FROM votes WHERE slot = 1")
    with pytest.raises(JournalCorrupt, match="a vote in a slot from 1 on is missing"):
        open_journal(path, alone, "node1", pytest.fail)
    assert not (tmp_path / "node1.db.damaged-1").exists()


def test_a_file_that_never_was_a_journal_is_left_where_it_is(tmp_path: Path) -> None:
    """Such as the cluster's key, whose path was given by mistake."""
    key, three = tmp_path / "cluster.key", cluster()
    key.write_text("00" * 32)
    key.chmod(0o600)
    for _ in range(2):
        with pytest.raises(JournalError, match="nothing tells that it is a journal") as caught:
            open_journal(key, three, "node1", pytest.fail)
        assert not isinstance(caught.value, JournalCorrupt)
    assert key.read_text() == "00" * 32
    assert list(tmp_path.glob("*damaged*")) == []


@pytest.mark.parametrize("kind", ["directory", "pipe", "device"])
def test_what_is_no_ordinary_file_is_no_journal(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "node1.db"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path = Path(os.devnull)
    with pytest.raises(JournalError, match=r"it is (a directory|no ordinary file)"):
        open_journal(path, cluster(), "node1", pytest.fail)
    assert [file.name for file in tmp_path.iterdir()] == ["node1.db"] * (kind != "device")


def test_the_companions_of_a_link_lie_beside_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link, path, three = tmp_path / "node1.db", tmp_path / "disk" / "node1.db", cluster()
    link.symlink_to(path)
    voted(link, three)
    Path(f"{path}.witness").chmod(0o644)
    with pytest.raises(JournalError, match="chmod 600"):
        open_journal(link, three, "node1", pytest.fail)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(JournalError, match="cannot be opened"):
        open_journal(loop, three, "node1", pytest.fail)


def test_a_healthy_journal_is_left_alone(tmp_path: Path) -> None:
    path, three = tmp_path / "node1.db", cluster()
    voted(path, three)
    with closing(open_journal(path, three, "node1", pytest.fail)) as journal:
        assert journal.doubt == ""
        assert len(list(journal.recover())) == 3


@pytest.mark.parametrize("part", ["", ".witness"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_journal_that_others_can_use_is_refused(tmp_path: Path, part: str, mode: int) -> None:
    path, three = tmp_path / "node1.db", cluster()
    voted(path, three)
    Path(f"{path}{part}").chmod(mode)
    with pytest.raises(JournalError, match="chmod 600"):
        open_journal(path, three, "node1", pytest.fail)
    Path(f"{path}{part}").chmod(0o600)
    open_journal(path, three, "node1", pytest.fail).close()
