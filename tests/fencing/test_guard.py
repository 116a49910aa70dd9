from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paxos.fencing import MAX_EPOCH, Guard, GuardBusy, StaleEpoch


def test_check_then_pause() -> None:
    """Schedule 26: a leader checks, is stopped, resumes and acts after its successor."""
    guard, done = Guard(), []
    with guard.admit(5):
        done.append(5)
    # epoch 5 is paused here, convinced that it leads
    with guard.admit(6):
        done.append(6)
    with pytest.raises(StaleEpoch) as refused, guard.admit(5):
        done.append(5)
    assert done == [5, 6]
    assert (refused.value.epoch, refused.value.newest) == (5, 6)


def test_an_epoch_is_admitted_again_and_again() -> None:
    guard = Guard()
    with guard.admit(3), guard.admit(3):
        assert guard.newest == 3


def test_an_act_that_fails_leaves_the_guard() -> None:
    guard = Guard()
    with pytest.raises(ZeroDivisionError), guard.admit(1):
        raise ZeroDivisionError
    with guard.admit(2, timeout=0):
        pass


def test_a_newer_epoch_waits_for_older_acts_and_shuts_out_further_ones() -> None:
    guard, order = Guard(), list[str]()
    asked, entered = threading.Event(), threading.Event()

    def successor() -> None:
        asked.set()
        with guard.admit(2):
            order.append("new act")
            entered.set()

    with ThreadPoolExecutor() as pool:
        with guard.admit(1):
            future = pool.submit(successor)
            asked.wait()
            while guard.newest < 2:  # it has asked, and is waiting
                pass
            with pytest.raises(StaleEpoch), guard.admit(1):
                order.append("never")
            assert not entered.is_set()
            order.append("old act")
        future.result()
    assert order == ["old act", "new act"]


def test_a_newer_epoch_waits_only_so_long() -> None:
    guard = Guard()
    with guard.admit(1):
        with pytest.raises(GuardBusy, match="older than 2 have not ended in 0 seconds"):
            guard.enter(2, timeout=0)
        with pytest.raises(StaleEpoch):
            guard.enter(1, timeout=0)
    guard.enter(2, timeout=0)


def test_who_waits_is_shut_out_by_a_yet_newer_epoch() -> None:
    guard = Guard()
    with ThreadPoolExecutor() as pool, guard.admit(1):
        waiting = pool.submit(guard.enter, 2)
        while guard.newest < 2:
            pass
        with pytest.raises(GuardBusy):
            guard.enter(3, timeout=0)
        with pytest.raises(StaleEpoch):
            waiting.result()


def test_many_threads_never_mix_epochs() -> None:
    guard, inside, seen = Guard(), list[int](), list[int]()

    def act(epoch: int) -> None:
        for _ in range(50):
            try:
                guard.enter(epoch)
            except StaleEpoch:
                return
            inside.append(epoch)
            seen.append(epoch)
            assert set(inside) == {epoch}
            inside.remove(epoch)
            guard.leave(epoch)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(act, epoch) for epoch in (1, 1, 2, 2, 3, 3, 4, 4)]:
            future.result()
    assert seen == sorted(seen)
    assert seen[-1] == 4


@pytest.mark.parametrize("wrong", [0, -1, True, 1.0, "1", MAX_EPOCH + 1, None])
def test_what_is_no_epoch_is_no_epoch(wrong: object) -> None:
    with pytest.raises(ValueError, match="an epoch is a whole number"):
        Guard().enter(wrong)  # type: ignore[arg-type]


def test_a_file_remembers_across_restarts(tmp_path: Path) -> None:
    first = Guard(tmp_path / "fence.db")
    with first.admit(7):
        pass
    first.close()
    again = Guard(tmp_path / "fence.db")
    assert again.newest == 7
    with pytest.raises(StaleEpoch):
        again.enter(6)
    again.close()


def test_what_was_admitted_is_on_disk_before_the_act(tmp_path: Path) -> None:
    guard = Guard(tmp_path / "fence.db")
    with guard.admit(7):
        copy = tmp_path / "after a crash.db"
        copy.write_bytes((tmp_path / "fence.db").read_bytes())
        survivor = Guard(copy)
        assert survivor.newest == 7
        survivor.close()
    guard.close()


def test_a_file_serves_one_process(tmp_path: Path) -> None:
    guard = Guard(tmp_path / "fence.db")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        Guard(tmp_path / "fence.db")
    guard.close()


def test_an_epoch_that_cannot_be_remembered_is_not_admitted(tmp_path: Path) -> None:
    guard = Guard(tmp_path / "fence.db")
    guard.close()
    with pytest.raises(sqlite3.ProgrammingError):
        guard.enter(1)
    assert guard.newest == 0
