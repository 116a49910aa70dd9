from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from paxos.demo.ledger import Ledger, Outcome
from paxos.demo.provider import LOST, MAX_BODY, Mood, make_app

ANN = {"subscription": "ann", "period": "1", "cents": 500}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


@pytest.fixture
def client(ledger: Ledger) -> FlaskClient:
    return make_app(ledger).test_client()


def charge(
    client: FlaskClient, *, key: str = "ann/1", epoch: object = 1, body: object = ANN
) -> tuple[int, Any]:
    headers = {"Idempotency-Key": key, "Paxos-Epoch": str(epoch)}
    response = client.post("/charge", json=body, headers=headers)
    return response.status_code, response.get_json()


def test_a_charge_moves_money_once_however_often_it_is_asked_for(
    client: FlaskClient, ledger: Ledger
) -> None:
    first, again = charge(client), charge(client)
    assert (first[0], again[0]) == (201, 200)
    assert first[1]["charge"] == again[1]["charge"]
    assert [one.subscription for one in ledger.charges()] == ["ann"]
    assert [one.outcome for one in ledger.attempts()] == [Outcome.CHARGED, Outcome.REPEATED]


def test_a_successor_is_told_of_its_predecessors_charge(client: FlaskClient) -> None:
    assert charge(client, epoch=1)[1]["charge"] == charge(client, epoch=2)[1]["charge"]


def test_an_older_epoch_is_refused(client: FlaskClient, ledger: Ledger) -> None:
    charge(client, epoch=7)
    status, answer = charge(client, key="bob/1", epoch=6, body=ANN | {"subscription": "bob"})
    assert status == 412
    assert answer["newest_epoch"] == 7
    assert len(ledger.charges()) == 1
    assert ledger.attempts()[-1].outcome is Outcome.FENCED


def test_the_newest_epoch_survives_a_restart_of_the_provider(
    client: FlaskClient, ledger: Ledger, tmp_path: Path
) -> None:
    charge(client, epoch=7)
    ledger.close()
    reopened = Ledger(tmp_path / "ledger.db")
    assert reopened.newest_epoch() == 7
    assert charge(make_app(reopened).test_client(), epoch=6)[0] == 412
    reopened.close()


def test_a_key_cannot_be_used_for_another_debt(client: FlaskClient, ledger: Ledger) -> None:
    charge(client)
    assert charge(client, body=ANN | {"cents": 900})[0] == 422
    assert len(ledger.charges()) == 1


def test_a_second_charge_under_another_key_is_seen_in_the_ledger(
    client: FlaskClient, ledger: Ledger
) -> None:
    charge(client, key="one")
    charge(client, key="other")
    assert [one.subscription for one in ledger.charges()] == ["ann", "ann"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": ""},
        {"key": "a b"},
        {"key": "k" * 201},
        {"epoch": 0},
        {"epoch": -1},
        {"epoch": "1e3"},
        {"epoch": "9" * 19},
        {"epoch": "\u0661"},
        {"body": []},
        {"body": ANN | {"cents": True}},
        {"body": ANN | {"cents": 0}},
        {"body": ANN | {"cents": "5"}},
        {"body": {"subscription": "ann", "cents": 500}},
    ],
)
def test_a_malformed_request_is_refused_and_leaves_no_trace(
    client: FlaskClient, ledger: Ledger, wrong: dict[str, Any]
) -> None:
    status, answer = charge(client, **wrong)
    assert status == 400
    assert answer["error"]
    assert ledger.attempts() == []


def test_a_huge_request_is_refused(client: FlaskClient, ledger: Ledger) -> None:
    assert charge(client, body=ANN | {"period": "p" * MAX_BODY})[0] in (400, 413)
    assert ledger.attempts() == []


def look_up(client: FlaskClient, key: str, epoch: object) -> tuple[int, Any]:
    headers = {"Idempotency-Key": key, "Paxos-Epoch": str(epoch)}
    response = client.post("/look-up", json={}, headers=headers)
    return response.status_code, response.get_json()


def test_a_charge_can_be_looked_up(client: FlaskClient, ledger: Ledger) -> None:
    assert look_up(client, "ann/1", 1)[0] == 404
    receipt = charge(client, epoch=1)[1]["charge"]
    status, found = look_up(client, "ann/1", 2)
    assert (status, found["charge"]) == (200, receipt)
    outcomes = [one.outcome for one in ledger.attempts()]
    assert outcomes == [Outcome.UNKNOWN, Outcome.CHARGED, Outcome.REPEATED]


def test_who_was_told_that_nothing_was_charged_can_rely_on_it(
    client: FlaskClient, ledger: Ledger
) -> None:
    assert look_up(client, "ann/1", 7)[0] == 404
    assert charge(client, epoch=6)[0] == 412, "it was under way when the successor asked"
    assert look_up(client, "ann/1", 6)[0] == 412
    assert ledger.charges() == []


def test_what_is_lost_tells_nothing(ledger: Ledger) -> None:
    lossy = make_app(ledger, Mood(loss=0.5, seed=3)).test_client()
    statuses = {charge(lossy, key=str(n), body=ANN | {"period": str(n)})[0] for n in range(40)}
    assert statuses == {201, LOST}
    charged = len(ledger.charges())
    assert 5 < charged < 35, "some were lost before the money moved, some after"
    assert {look_up(lossy, str(n), 1)[0] for n in range(40)} == {200, 404, LOST}


def test_an_answer_is_held_back_when_the_story_wants_it(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    mood = Mood()
    mood.hear("hold")
    mood.hear("release")
    assert charge(make_app(ledger, mood).test_client(), epoch=4)[0] == 201
    assert capsys.readouterr().out == '{"accepted": 4}\n'
