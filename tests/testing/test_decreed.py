"""Every change of an election has its decree: the checker finds it, or speaks up."""

from __future__ import annotations

import pytest

from paxos.protocol.values import NOOP
from paxos.replicated.decrees import Change, Decree
from paxos.replicated.election_decrees import (
    Campaign,
    ElectionView,
    Expire,
    HandOverAsked,
    LeaderChanged,
    Proclaim,
    Renew,
    Renewed,
    Resign,
    SessionEnded,
)
from paxos.replicated.state import Applied
from paxos.replicated.values import Command, Leadership, Session
from paxos.testing.checkers import Decreed, Violation

A1, A2, B1 = Session("a", 1), Session("a", 2), Session("b", 1)
FIRST = Leadership("a", 1, "blue")
LEADS = LeaderChanged("blue", ElectionView(FIRST, b"", ""))
RESIGNED = LeaderChanged("blue", ElectionView(None, b"", "resigned"))


def slot(number: int, decrees: list[tuple[Session, Decree]], *changes: Change) -> Applied:
    fresh = tuple(Command(session, number, decree) for session, decree in decrees)
    return Applied(number, NOOP, fresh, (), changes)


def led() -> Decreed:
    """Return a checker that has seen the first leader, which renewed its session once."""
    checker = Decreed()
    campaign = Campaign(1, 400_000, "blue", 0, b"")
    checker.applied("a", slot(0, [(A1, campaign)], Renewed("a", 1, 1)))
    checker.applied("a", slot(1, [(B1, FIRST)], LEADS))
    return checker


def test_election_goes_its_way() -> None:
    checker, again = led(), Leadership("a", 2, "blue")
    checker.applied("a", slot(2, [(A1, Proclaim("blue", 1, b"v"))], LEADS))
    checker.applied("a", slot(3, [], HandOverAsked("blue", 1, "b")))
    checker.applied("a", slot(4, [(A1, Resign("blue"))], RESIGNED))
    checker.applied(
        "a", slot(5, [(B1, again)], LeaderChanged("blue", ElectionView(again, b"", "")))
    )
    checker.applied("b", slot(5, [], LEADS))  # not for the first time: it is no news
    expired = LeaderChanged("blue", ElectionView(None, b"", "expired"))
    checker.applied("a", slot(6, [(B1, Expire("a", 1, 1))], expired, SessionEnded("a", 1)))


def test_new_life_of_a_node_ends_its_session() -> None:
    restarted = LeaderChanged("blue", ElectionView(None, b"", "restarted"))
    renewed = slot(2, [(A2, Renew(1, 400_000))], restarted, SessionEnded("a", 1))
    led().applied("a", renewed)


@pytest.mark.parametrize(
    ("decrees", "changes", "why"),
    [
        ([], (LEADS,), "has proclaimed its new value"),
        ([(B1, Proclaim("blue", 1, b"v"))], (LEADS,), "has proclaimed its new value"),
        ([(A1, Proclaim("blue", 0, b"v"))], (LEADS,), "has proclaimed its new value"),
        ([(B1, Resign("blue"))], (RESIGNED,), "has not resigned"),
        (
            [(B1, Leadership("b", 2, "blue"))],
            (LeaderChanged("blue", ElectionView(Leadership("b", 2, "blue"), b"", "")),),
            "was appointed while leader=a, epoch=1 led",
        ),
        ([], (HandOverAsked("blue", 0, "b"),), "hand-over in epoch 0"),
        ([(B1, Expire("a", 1, 0))], (SessionEnded("a", 1),), "was ended, and was renewed"),
        ([(B1, Expire("a", 0, 1))], (SessionEnded("a", 1),), "was ended, and was renewed"),
        ([(A1, Renew(1, 400_000))], (Renewed("a", 1, 1),), "comes after a newer one"),
    ],
)
def test_change_without_its_decree_is_noticed(
    decrees: list[tuple[Session, Decree]], changes: tuple[Change, ...], why: str
) -> None:
    with pytest.raises(Violation, match=why):
        led().applied("a", slot(2, decrees, *changes))


def test_vacant_election_is_led_by_whom_somebody_appointed() -> None:
    with pytest.raises(Violation, match="nobody appointed leader=a, epoch=1"):
        Decreed().applied("a", slot(0, [], LEADS))
    with pytest.raises(Violation, match="has lost a leader, and had none"):
        Decreed().applied("a", slot(0, [], RESIGNED))
