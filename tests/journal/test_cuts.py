"""A power cut in the middle of a write forgets nothing that was acknowledged."""

from __future__ import annotations

import pytest

from paxos.journal import sqlite
from paxos.protocol.ballot import Ballot
from tests.journal.cuts import cut_many


def test_nothing_acknowledged_is_forgotten_by_hundreds_of_power_cuts() -> None:
    outcomes = cut_many(300, seed=1)
    assert outcomes.total() == 300
    assert min(outcomes["with the write"], outcomes["without it"]) > 20


def test_a_journal_that_forgets_a_promise_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(records: object, known: Ballot) -> Ballot:
        return known

    monkeypatch.setattr(sqlite, "highest_promised", forgetful)
    with pytest.raises(AssertionError, match="a promise is forgotten"):
        cut_many(300, seed=1)
