"""On SQLite always; on PostgreSQL where PAXOS_TEST_POSTGRESQL names a database to write to."""

from __future__ import annotations

import os
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from paxos.errors import ConfigError
from paxos.fencing import MAX_EPOCH, SqlGuard, StaleEpoch

POSTGRESQL = os.environ.get("PAXOS_TEST_POSTGRESQL", "")

Connect = Callable[[], Any]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Connect, SqlGuard]]:
    """Yield what connects, and a guard with a table of its own."""
    table = f"fence_{uuid.uuid4().hex}"
    if request.param == "sqlite":
        yield (
            lambda: sqlite3.connect(tmp_path / "resource.db", check_same_thread=False),
            SqlGuard("billing", paramstyle=sqlite3.paramstyle, table=table),
        )
        return
    psycopg = pytest.importorskip("psycopg")
    if not POSTGRESQL:
        pytest.skip("PAXOS_TEST_POSTGRESQL is not set")
    yield (
        lambda: psycopg.connect(POSTGRESQL),
        SqlGuard("billing", paramstyle=psycopg.paramstyle, table=f"public.{table}"),
    )
    with psycopg.connect(POSTGRESQL) as connection:
        connection.execute(f"DROP TABLE IF EXISTS public.{table}")


@pytest.fixture
def connect(database: tuple[Connect, SqlGuard]) -> Iterator[Connect]:
    """What connects; the table is there, and everything is closed in the end."""
    opened = []

    def connect() -> Any:
        opened.append(database[0]())
        return opened[-1]

    connection = connect()
    database[1].create(connection)
    connection.commit()
    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def guard(database: tuple[Connect, SqlGuard]) -> SqlGuard:
    return database[1]


def test_check_then_pause_in_a_database(connect: Connect, guard: SqlGuard) -> None:
    """Schedule 26: a leader checks, is stopped, resumes and acts after its successor."""
    old, new = connect(), connect()
    guard.admit(old, 5)
    old.commit()
    guard.admit(new, 6)
    new.commit()
    with pytest.raises(StaleEpoch) as refused:
        guard.admit(old, 5)
    old.rollback()
    assert (refused.value.epoch, refused.value.newest) == (5, 6)
    guard.admit(new, 6)
    new.commit()


def test_the_newest_epoch_is_remembered_with_the_work_and_forgotten_with_it(
    connect: Connect, guard: SqlGuard
) -> None:
    connection = connect()
    assert guard.newest(connection) == 0
    guard.admit(connection, 7)
    connection.rollback()
    assert guard.newest(connection) == 0
    guard.admit(connection, MAX_EPOCH)
    connection.commit()
    assert guard.newest(connect()) == MAX_EPOCH


def test_a_newer_epoch_waits_until_the_older_transaction_has_ended(
    connect: Connect, guard: SqlGuard
) -> None:
    old, new, order = connect(), connect(), list[str]()
    started = threading.Event()
    guard.admit(old, 1)

    def successor() -> None:
        started.set()
        guard.admit(new, 2)
        order.append("new")
        new.commit()

    with ThreadPoolExecutor() as pool:
        future = pool.submit(successor)
        started.wait()
        threading.Event().wait(0.05)  # enough to overtake, were there no lock
        order.append("old")
        old.commit()
        future.result()
    assert order == ["old", "new"]


def test_an_older_epoch_that_waited_for_a_newer_one_is_refused(
    connect: Connect, guard: SqlGuard
) -> None:
    old, new = connect(), connect()
    started = threading.Event()
    guard.admit(new, 2)

    def deposed() -> None:
        started.set()
        guard.admit(old, 1)

    with ThreadPoolExecutor() as pool:
        future = pool.submit(deposed)
        started.wait()
        threading.Event().wait(0.05)
        new.commit()
        with pytest.raises(StaleEpoch):
            future.result()


def test_threads_at_once_leave_the_newest_epoch(connect: Connect, guard: SqlGuard) -> None:
    accepted = list[int]()

    def act(connection: Any, epoch: int) -> None:
        try:
            guard.admit(connection, epoch)
            accepted.append(epoch)  # inside the transaction, so in the order of commits
        except StaleEpoch:
            connection.rollback()
        else:
            connection.commit()

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(act, connect(), epoch) for epoch in (3, 1, 4, 1, 5, 9, 2, 6) * 3]
        for future in futures:
            future.result()
    assert accepted == sorted(accepted)
    assert guard.newest(connect()) == 9


def test_resources_are_told_apart(connect: Connect, guard: SqlGuard) -> None:
    connection = connect()
    guard.admit(connection, 7)
    other = SqlGuard("mail'; --", paramstyle="qmark", table="t")
    other._admit, other._newest = guard._admit, guard._newest
    other.admit(connection, 1)
    connection.commit()
    assert (guard.newest(connection), other.newest(connection)) == (7, 1)


@pytest.mark.parametrize("wrong", [0, -1, True, 1.0, "1", MAX_EPOCH + 1])
def test_what_is_no_epoch_never_reaches_the_database(
    connect: Connect, guard: SqlGuard, wrong: Any
) -> None:
    with pytest.raises(ValueError, match="an epoch is a whole number"):
        guard.admit(connect(), wrong)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"resource": ""}, "1 to 200 characters"),
        ({"table": "fence; DROP TABLE x"}, "must be of a-z"),
        ({"table": "a.b.c"}, "must be of a-z"),
        ({"paramstyle": "named"}, "there are qmark"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        SqlGuard(**{"resource": "billing", "paramstyle": "qmark"} | arguments)
