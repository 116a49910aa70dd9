from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paxos.journal import SqliteJournal
from paxos.protocol.values import Value


def encode(value: Value) -> bytes:
    return str(value).encode()


def decode(data: bytes) -> Value:
    return data.decode()


@pytest.fixture
def open_sqlite(tmp_path: Path) -> Iterator[Callable[..., SqliteJournal]]:
    """Opens journals and closes them in the end; by default always the same file."""
    opened = []

    def open_journal(
        path: Path = tmp_path / "node1.db", cluster: str = "shop", node: str = "node1"
    ) -> SqliteJournal:
        journal = SqliteJournal(path, cluster=cluster, node=node, encode=encode, decode=decode)
        opened.append(journal)
        return journal

    yield open_journal
    for journal in opened:
        journal.close()
