"""A journal that has forgotten something is recognised when it is opened, and says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from paxos.journal import JournalCorrupt, JournalError, SqliteJournal
from paxos.journal.witness import Mark, Witness
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Learned, Promised, Readmitted, Voted

Open = Callable[..., SqliteJournal]
PARTS = ("", "-wal", "-shm", ".witness")


def ballot(number: int) -> Ballot:
    return Ballot(number, "node2")


def copy(journal: Path, to: Path, parts: tuple[str, ...] = PARTS) -> Path:
    """Copy a journal's files as they are at this moment, as a kill would leave them."""
    to.mkdir(exist_ok=True)
    for part in parts:
        source = Path(f"{journal}{part}")
        if source.exists():
            shutil.copy(source, to)
    return to / journal.name


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


@pytest.fixture
def killed(open_sqlite: Open, tmp_path: Path) -> Path:
    """A journal that voted in slots 1 to 20 and was then killed."""
    journal = open_sqlite()
    for slot in range(1, 21):
        journal.write([Voted(slot, ballot(1), f"value {slot}")])
    return copy(journal.path, tmp_path / "killed")


def test_a_killed_journal_is_complete(killed: Path, open_sqlite: Open) -> None:
    journal = open_sqlite(killed)
    assert journal.doubt == ""
    assert journal.mark[1] == 22  # with the two openings
    assert len(list(journal.recover())) == 21


def test_a_bit_flipped_in_the_write_ahead_log_makes_it_go_backwards(
    killed: Path, open_sqlite: Open
) -> None:
    """SQLite itself says nothing, and opens a shorter log (schedule 15)."""
    log = Path(f"{killed}-wal")
    flip(log, log.stat().st_size // 2)
    journal = open_sqlite(killed)
    assert len(list(journal.recover())) < 21
    assert "went backwards" in journal.doubt
    assert "of 21 writes" in journal.doubt


def test_a_lost_write_ahead_log_is_noticed(open_sqlite: Open, tmp_path: Path) -> None:
    open_sqlite().close()  # which copies the log into the file
    journal = open_sqlite()
    journal.write([Promised(ballot(1))])
    without = copy(journal.path, tmp_path / "without", ("", ".witness"))
    assert "it has 1 of 3 writes" in open_sqlite(without).doubt


def test_an_older_copy_is_recognised(open_sqlite: Open, tmp_path: Path) -> None:
    journal = open_sqlite()
    journal.write([Promised(ballot(1))])
    old = copy(journal.path, tmp_path / "old", ("", "-wal", "-shm"))
    journal.write([Promised(ballot(2))])
    copy(journal.path, tmp_path / "old", (".witness",))
    assert "it has 2 of 3 writes" in open_sqlite(old).doubt


def test_a_journal_that_is_gone_is_missed(killed: Path, open_sqlite: Open) -> None:
    for part in ("", "-wal", "-shm"):
        Path(f"{killed}{part}").unlink()
    assert open_sqlite(killed).doubt == "the journal is gone: it had 21 writes"


def test_a_journal_of_another_life_with_as_many_writes_is_recognised(
    killed: Path, open_sqlite: Open, tmp_path: Path
) -> None:
    other = open_sqlite(tmp_path / "other.db")
    for number in range(1, 30):
        other.write([Begun(ballot(number))])
    shutil.copy(f"{other.path}.witness", f"{killed}.witness")
    assert "is not the one to which" in open_sqlite(killed).doubt


def test_as_many_writes_but_other_ones_are_recognised(killed: Path, open_sqlite: Open) -> None:
    witness = Witness(killed)
    seen = witness.read()
    assert seen is not None
    witness.note(Mark(seen.identity, seen.writes, seen.chain ^ 1))
    witness.close()
    assert "are not those that" in open_sqlite(killed).doubt


@pytest.mark.parametrize("place", range(0, 55, 3))
def test_a_damaged_witness_is_a_reason_for_doubt(
    killed: Path, open_sqlite: Open, place: int
) -> None:
    flip(Path(f"{killed}.witness"), place)
    assert "is damaged" in open_sqlite(killed).doubt


def test_a_missing_witness_is_a_reason_for_doubt(killed: Path, open_sqlite: Open) -> None:
    Path(f"{killed}.witness").unlink()
    assert "is gone" in open_sqlite(killed).doubt


def test_a_witness_that_lags_after_a_power_cut_proves_nothing(
    open_sqlite: Open, tmp_path: Path
) -> None:
    journal = open_sqlite()
    old = copy(journal.path, tmp_path / "cut", (".witness",)).parent
    journal.write([Promised(ballot(3))])
    copied = copy(journal.path, old, ("", "-wal", "-shm"))
    assert open_sqlite(copied).doubt == ""


def test_doubt_is_not_forgotten_by_the_next_life(killed: Path, open_sqlite: Open) -> None:
    Path(f"{killed}-wal").unlink()
    first = open_sqlite(killed)
    first.write([Promised(ballot(9))])
    first.close()
    assert open_sqlite(killed).doubt == first.doubt != ""


def test_a_power_cut_after_a_readmission_leaves_no_doubt_and_one_before_it_all(
    killed: Path, open_sqlite: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is another now, and the witness must know it before anybody trusts it."""
    Path(f"{killed}-wal").unlink()
    journal = open_sqlite(killed)
    cuts = []

    def sync(witness: Witness) -> None:
        cuts.append(copy(killed, tmp_path / "before"))

    monkeypatch.setattr(Witness, "sync", sync)
    journal.write([Readmitted(ballot(9))])
    monkeypatch.undo()
    [before] = cuts
    after = copy(killed, tmp_path / "after", ("", "-wal", "-shm"))
    shutil.copy(f"{before}.witness", f"{after}.witness")  # all that is sure to be left
    assert open_sqlite(after).doubt == ""
    assert open_sqlite(before).doubt == journal.doubt != ""


def test_a_vote_that_vanishes_from_the_file_is_missed(killed: Path, open_sqlite: Open) -> None:
    journal = open_sqlite(killed)
    journal._writer.execute("DELETE FROM votes WHERE slot = 7")
    journal.close()
    with pytest.raises(JournalCorrupt, match="a vote in a slot from 0 on is missing"):
        open_sqlite(killed)


@pytest.mark.parametrize("key", ["promised", "begun", "progress"])
def test_a_fact_that_cannot_be_found_any_more_fails_the_write(open_sqlite: Open, key: str) -> None:
    """As after a flipped bit in the table's index: SQLite changes no row, and is content."""
    journal = open_sqlite()
    journal._writer.execute("DELETE FROM about WHERE key = ?", (key,))
    with pytest.raises(JournalError, match=f"about has no {key} any more"):
        journal.write([Promised(ballot(9)), Begun(ballot(9)), Learned(0, ballot(9), "value")])


def test_an_older_vote_in_place_of_a_newer_is_noticed(open_sqlite: Open) -> None:
    """Its own checksum is right: only all open votes together tell."""
    journal = open_sqlite()
    journal.write([Voted(0, ballot(1), "old")])
    old = journal._writer.execute("SELECT * FROM votes").fetchone()
    journal.write([Voted(0, ballot(2), "new")])
    journal._writer.execute("INSERT OR REPLACE INTO votes VALUES (?, ?, ?, ?, ?, ?)", old)
    journal.close()
    with pytest.raises(JournalCorrupt, match="is missing or was changed"):
        open_sqlite()
