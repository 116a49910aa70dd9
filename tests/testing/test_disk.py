"""The simulated disk: what a crash leaves, and what no journal may do."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

import pytest

from paxos.journal import JournalError, MemoryJournal, SqliteJournal, checks, tables
from paxos.journal import sqlite as sqlite_module
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Begun, Learned, Promised, Record, Voted
from paxos.protocol.values import NOOP
from paxos.testing.checkers import Memory, Violation
from paxos.testing.simulation.disk import Disk
from paxos.testing.simulation.files import SqliteMedium
from paxos.testing.simulation.media import Medium, MemoryMedium, memory_disk
from paxos.testing.simulation.sqlite_files import draw_place
from paxos.testing.simulation.world import World

B1, B2 = Ballot(1, "a"), Ballot(2, "b")
FIRST: list[Record] = [Begun(B1), Promised(B1), Voted(0, B1, NOOP)]
SECOND: list[Record] = [Voted(1, B1, NOOP), Learned(0, B1, NOOP)]
BOTH = [Begun(B1), Promised(B1), Learned(0, None, NOOP), Voted(1, B1, NOOP)]

MakeDisk = Callable[..., Disk]


@pytest.fixture
def files() -> Iterator[SqliteMedium]:
    with memory_disk() as folder:
        medium = SqliteMedium("a", Random(1), lambda: folder, partial(next, count(1_700_000_000)))
        yield medium
        medium.close()


@pytest.fixture(params=["memory", "files"])
def medium(request: pytest.FixtureRequest, files: SqliteMedium) -> Medium:
    return files if request.param == "files" else MemoryMedium()


def disk_of(medium: Medium, seed: int = 1) -> tuple[Disk, World, Counter[str]]:
    world, injected = World(seed), Counter[str]()
    memory = Memory()
    disk = Disk(world, "a", medium, partial(memory.persisted, "a"), injected, memory)
    return disk, world, injected


def test_what_was_written_is_there_after_a_crash(medium: Medium) -> None:
    disk, world, _ = disk_of(medium)
    assert disk.open() == []
    disk.persist(list(FIRST), lambda error: None)
    world.run_until(0.1)
    disk.persist(list(SECOND), lambda error: None)
    world.run_until(0.2)
    disk.crash()
    assert disk.open() == BOTH
    disk.crash()


def test_transaction_under_way_is_written_lost_or_torn_but_never_in_part(medium: Medium) -> None:
    seen = set()
    disk, _, injected = disk_of(medium)
    disk.open()
    for number in range(1, 30):
        ballot = Ballot(number, "a")
        disk.persist([Begun(ballot), Promised(ballot)], lambda error: None)
        disk.crash()
        records = disk.open()  # raises where it is neither the old state nor the new one
        seen.add(records == [Begun(ballot), Promised(ballot)])
        assert [r.ballot for r in records if isinstance(r, Begun)] == [
            r.ballot for r in records if isinstance(r, Promised)
        ]
    disk.crash()
    assert seen == {True, False}
    assert injected["lost_write"]
    assert bool(injected["torn_write"]) == isinstance(medium, SqliteMedium)


def test_what_gathers_during_a_sync_is_one_transaction() -> None:
    disk, world, _ = disk_of(MemoryMedium())
    disk.open()
    times: list[float] = []
    for ballot in (B1, B2, Ballot(3, "a")):
        disk.persist([Promised(ballot)], lambda error: times.append(world.now))
    world.run_until(1.0)
    assert len(times) == 3
    assert times[0] < times[1] == times[2]


@pytest.mark.parametrize("once", [True, False])
def test_failed_write_is_told_and_final_until_the_next_life(medium: Medium, once: bool) -> None:
    disk, world, _ = disk_of(medium)
    disk.open()
    disk.trouble, disk.once = "disk I/O error", once
    errors: list[JournalError | None] = []
    disk.persist(list(FIRST), errors.append)
    world.run_until(0.1)
    disk.persist(list(SECOND), errors.append)
    world.run_until(0.2)
    assert [type(error) for error in errors] == [JournalError, JournalError]
    disk.trouble = ""
    disk.crash()
    assert disk.open() in ([], FIRST)
    disk.crash()


def test_journal_that_writes_on_after_a_failed_sync_is_caught(
    files: SqliteMedium, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, world, _ = disk_of(files)
    disk.open()
    disk.trouble, disk.once = "disk I/O error", True
    disk.persist(list(FIRST), lambda error: None)
    world.run_until(0.1)
    journal = disk.journal
    assert isinstance(journal, SqliteJournal)
    if files.writer.in_transaction:
        files.writer.execute("ROLLBACK")
    journal._failure = None
    disk.persist(list(FIRST), lambda error: None)
    with pytest.raises(Violation, match="writes on after a failed sync"):
        world.run_until(0.2)


def fail_and_cut(seed: int) -> tuple[bool, bool]:
    """Fail a sync, live once more, and end that life, too; tell what became of the write."""
    with memory_disk() as folder:
        medium = SqliteMedium("a", Random(seed), lambda: folder, lambda: 1.7e9)
        disk, world, injected = disk_of(medium, seed)
        disk.open()
        disk.trouble, disk.once = "disk I/O error", True
        disk.persist(list(FIRST), lambda error: None)
        world.run_until(0.1)
        disk.crash()
        kept = disk.open() == FIRST
        disk.persist([Promised(B2)], lambda error: None)
        world.run_until(0.2)
        disk.crash()
        disk.open()  # raises where anything is missing
        disk.crash()
        medium.close()
        return bool(injected["lost_pages"]), kept


def test_pages_lost_after_a_failed_sync_cost_nothing_that_a_later_life_has_read() -> None:
    assert {fail_and_cut(seed) for seed in range(60)} == {
        (True, True),  # the next life read it in the kernel's memory, and wrote it anew
        (True, False),  # the power was cut before
        (False, True),
        (False, False),
    }


def test_life_that_leaves_an_unsynced_log_as_it_is_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqlite_module, "empty_log", lambda db, path: None)
    with pytest.raises(Violation, match=r"doubts an intact journal|has forgotten what was durable"):
        list(map(fail_and_cut, range(200)))


def test_commit_that_is_not_synced_is_lost_in_a_power_cut(
    files: SqliteMedium, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_durable = tables.make_durable

    def careless(db: sqlite3.Connection, path: Path) -> None:
        make_durable(db, path)
        db.execute("PRAGMA synchronous = NORMAL")

    monkeypatch.setattr(sqlite_module, "make_durable", careless)
    files.open()
    assert files.write(FIRST, "") == (True, None)
    files.crash_in_write([Promised(B2)])
    assert list(files.open().recover()) == []


def test_flipped_bits_do_not_depend_on_what_sqlite_draws_by_itself() -> None:
    places = set()
    for _ in range(10):
        with memory_disk() as folder:
            medium = SqliteMedium("a", Random(1), partial(Path, folder), lambda: 1.7e9)
            medium.open()
            for number in range(1, 30):  # so that the log has many headers, drawn in part
                ballot = Ballot(number, "a")
                assert medium.write([Promised(ballot), Voted(number, ballot, NOOP)], "")[0]
            log = medium.path.with_name(f"{medium.path.name}-wal").read_bytes()
            medium.close()
        places.add(tuple(draw_place(log, Random(n), is_log=True) for n in range(50)))
    assert len(places) == 1
    assert len(set(places.pop())) > 20


@pytest.mark.parametrize("how", ["restore_copy", "wipe"])
def test_disk_that_has_gone_back_as_a_whole_is_left_to_those_who_know(
    medium: Medium, how: str
) -> None:
    disk = spoilt_disk(medium, how, whole=True)
    disk.noticed = lambda: True
    assert disk.open() == []
    assert not disk.journal.doubt


@pytest.mark.parametrize("how", ["restore_copy", "wipe"])
def test_disk_that_has_gone_back_without_anybody_knowing_is_refused(
    medium: Medium, how: str
) -> None:
    disk = spoilt_disk(medium, how, whole=True)
    with pytest.raises(JournalError, match="gone back"):
        disk.open()


@pytest.mark.parametrize("how", ["restore_copy", "wipe"])
def test_journal_that_has_gone_back_says_so(files: SqliteMedium, how: str) -> None:
    disk = spoilt_disk(files, how, whole=False)
    assert disk.open() == []
    assert disk.journal.doubt


def test_power_cut_may_leave_an_old_witness_which_proves_nothing(files: SqliteMedium) -> None:
    disk, world, _ = disk_of(files)
    seen = set()
    for number in range(1, 30):
        disk.open()  # raises where an intact journal is doubted
        disk.persist([Promised(Ballot(number, "a"))], lambda error: None)
        world.run_until(float(number))
        disk.crash()
        seen.add(files.witnessed)
    assert seen == {True, False}


@pytest.mark.parametrize("how", ["restore_copy", "wipe"])
def test_journal_that_has_gone_back_without_a_word_is_caught(
    files: SqliteMedium, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = spoilt_disk(files, how, whole=False)
    monkeypatch.setattr(sqlite_module, "doubt", lambda held, witness: "")
    with pytest.raises(Violation, match="has forgotten"):
        disk.open()


def spoilt_disk(medium: Medium, how: str, *, whole: bool) -> Disk:
    disk, world, _ = disk_of(medium)
    disk.open()
    medium.keep_copy()
    disk.persist(list(FIRST), lambda error: None)
    world.run_until(0.1)
    medium.close()
    getattr(medium, how)(whole)
    disk.spoilt = disk.touched = True
    disk.replaced = whole
    return disk


def test_flipped_bit_is_found_or_harmless(files: SqliteMedium) -> None:
    seen = Counter[tuple[str, bool]]()
    for seed in range(200):
        files.wipe(True)
        disk, world, _ = disk_of(files, seed)
        disk.open()
        disk.persist(list(FIRST), lambda error: None)
        world.run_until(0.1)
        files.close()
        files.flip_bit()
        disk.spoilt = disk.touched = True
        records = disk.open()  # raises Violation for what is missing, or was never written
        seen["in doubt" if disk.journal.doubt else "harmless", bool(records)] += 1
        files.crash()
    assert set(seen) - {("harmless", True)} == {("in doubt", False), ("in doubt", True)}


def test_journal_that_invents_something_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, _, _ = disk_of(MemoryMedium())
    disk.open()
    disk.crash()
    monkeypatch.setattr(MemoryJournal, "recover", lambda self: iter([Promised(B2)]))
    disk.spoilt = disk.touched = True
    with pytest.raises(Violation, match="invents"):
        disk.open()


def test_intact_journal_that_is_refused_is_caught(
    files: SqliteMedium, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, world, _ = disk_of(files)
    disk.open()
    disk.persist(list(FIRST), lambda error: None)
    world.run_until(0.1)
    disk.crash()
    monkeypatch.setattr(checks, "checksum", lambda value, *fields: 7)
    with pytest.raises(Violation, match="intact journal"):
        disk.open()


def test_life_that_is_counted_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, _, _ = disk_of(MemoryMedium())
    disk.open()
    disk.crash()
    monkeypatch.setattr(MemoryJournal, "boot", 1, raising=False)
    reopened = MemoryJournal.reopened

    def forgetful(self: MemoryJournal, boot: int = 0) -> MemoryJournal:
        later = reopened(self, boot)
        later.boot = 1
        return later

    monkeypatch.setattr(MemoryJournal, "reopened", forgetful)
    with pytest.raises(Violation, match="has forgotten"):
        disk.open()
