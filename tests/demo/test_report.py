from __future__ import annotations

import io

from attrs import evolve
from rich.console import Console

from paxos.demo.ledger import Attempt, Charge, Outcome
from paxos.demo.report import Blow, Evidence, Harm, Reign, draw_up, sentences, table
from paxos.demo.subscriptions import Subscription

GOOD = Evidence(
    subscriptions=[Subscription(name, "1", 500) for name in ("ann", "bob", "cem")],
    unmarked=0,
    charges=[
        Charge("ann", "1", 500, epoch=1, at=10.0),
        Charge("bob", "1", 500, epoch=1, at=11.0),
        Charge("cem", "1", 500, epoch=2, at=11.75),
    ],
    attempts=[
        Attempt(9.5, 1, Outcome.CHARGED),
        Attempt(10.5, 1, Outcome.CHARGED),
        Attempt(11.25, 2, Outcome.REPEATED),
        Attempt(11.5, 2, Outcome.CHARGED),
        Attempt(11.6, 1, Outcome.FENCED),
    ],
    reigns=[Reign("node1", 1, 9.0), Reign("node2", 2, 11.2)],
    blows=[Blow(Harm.KILLED, "node1", 1, 11.0)],
    ended=13.2,
)


def test_exactly_once_is_ok() -> None:
    assert draw_up(GOOD).to_json() == {
        "charged_once": 3,
        "charged_twice": 0,
        "forgotten": 0,
        "epochs": [
            {"leader": "node1", "epoch": 1, "charges": 2},
            {"leader": "node2", "epoch": 2, "charges": 1},
        ],
        "failovers_ms": [250],
        "fenced_attempts": 1,
        "ok": True,
    }


def test_each_epoch_tells_how_long_it_led_and_the_gap_before_it() -> None:
    first, second = draw_up(GOOD).epochs
    assert (first.led, first.gap, first.end) == (2.0, None, "kill -9")
    assert (second.led, second.gap, second.end) == (2.0, 0.75, "led to the end")


def test_a_second_charge_is_found() -> None:
    twice = Charge("ann", "1", 500, epoch=2, at=12.0)
    report = draw_up(evolve(GOOD, charges=[*GOOD.charges, twice]))
    assert (report.charged_once, report.charged_twice, report.ok) == (2, 1, False)


def test_a_forgotten_customer_is_found() -> None:
    report = draw_up(evolve(GOOD, charges=GOOD.charges[:2]))
    assert (report.charged_once, report.forgotten, report.ok) == (2, 1, False)


def test_two_leaders_of_one_epoch_are_found() -> None:
    rival = Reign("node3", 2, 11.3)
    report = draw_up(evolve(GOOD, reigns=[*GOOD.reigns, rival]))
    assert report.problems == ("epoch 2 had two leaders, node2 and node3",)
    assert not report.ok


def test_a_charge_that_nobody_owed_is_found() -> None:
    for stray in (
        evolve(GOOD.charges[2], subscription="dan"),
        evolve(GOOD.charges[2], period="2"),
        evolve(GOOD.charges[2], cents=1),
    ):
        report = draw_up(evolve(GOOD, charges=[*GOOD.charges[:2], stray]))
        assert report.problems == ("1 charges were of nothing that was owed",)


def test_a_charge_under_an_unknown_epoch_is_found() -> None:
    report = draw_up(evolve(GOOD, reigns=GOOD.reigns[:1]))
    assert report.problems == ("charges under epochs that nobody led: [2]",)


def test_a_receipt_that_was_not_written_back_is_found() -> None:
    assert not draw_up(evolve(GOOD, unmarked=1)).ok


def test_a_blow_without_a_successor_has_no_failover() -> None:
    late = Blow(Harm.PAUSED, "node2", 2, 13.0)
    assert draw_up(evolve(GOOD, blows=[late])).failovers == ()


def test_an_epoch_that_ends_without_a_blow_lost_its_lease() -> None:
    first, second = draw_up(evolve(GOOD, blows=[])).epochs
    assert (first.end, second.end) == ("lost its lease", "led to the end")


def test_people_read_a_table_and_a_verdict() -> None:
    report = draw_up(GOOD)
    out = io.StringIO()
    Console(file=out, width=100).print(table(report))
    assert "750 ms" in out.getvalue()
    text = "\n".join(sentences(report))
    assert "3 charged exactly once, 0 charged twice, 0 forgotten." in text
    assert "PROBLEM" not in text
