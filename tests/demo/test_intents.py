from __future__ import annotations

import pytest

from paxos.demo.intents import Answer, Intents, Verdict, done, intend, lead, read_answer


def told(intents: Intents, *commands: bytes) -> Answer:
    """Apply all commands and return the last answer."""
    answers = [intents.apply(command) for command in commands]
    return read_answer(answers[-1])


def test_an_intent_is_to_be_charged_until_its_outcome_is_known() -> None:
    intents = Intents()
    assert told(intents, lead(1), intend(1, "ann/1", 500)) == Answer(Verdict.CHARGE)
    assert told(intents, intend(1, "ann/1", 500)) == Answer(Verdict.CHARGE)
    assert told(intents, done("ann/1", "r1")) == Answer(Verdict.DONE, "r1")
    assert told(intents, intend(1, "ann/1", 500)) == Answer(Verdict.DONE, "r1")


def test_a_new_leader_learns_which_intents_are_open() -> None:
    intents = Intents()
    told(intents, lead(1), intend(1, "ann/1", 500), intend(1, "bob/1", 700), done("ann/1", "r1"))
    assert told(intents, lead(2)).open == (("bob/1", 700),)


def test_a_deposed_leader_may_intend_nothing_more() -> None:
    intents = Intents()
    assert told(intents, lead(2), intend(1, "ann/1", 500)).verdict is Verdict.DEPOSED
    assert told(intents, lead(1)).verdict is Verdict.DEPOSED
    assert told(intents, lead(3)).open == ()


def test_a_deposed_leaders_outcome_counts() -> None:
    intents = Intents()
    told(intents, lead(1), intend(1, "ann/1", 500), lead(2))
    assert told(intents, done("ann/1", "r1")) == Answer(Verdict.DONE, "r1")
    assert told(intents, intend(2, "ann/1", 500)) == Answer(Verdict.DONE, "r1")


def test_the_first_receipt_stays() -> None:
    intents = Intents()
    told(intents, lead(1), intend(1, "ann/1", 500), done("ann/1", "r1"))
    assert told(intents, done("ann/1", "r2")) == Answer(Verdict.DONE, "r1")


@pytest.mark.parametrize(
    "command",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        b'["lead", true]',
        b'["lead", 0]',
        b'["lead", 1, 2]',
        b'["lead", 9223372036854775808]',
        b'["intend", 1, "", 500]',
        b'["intend", 1, "ann/1", -5]',
        b'["intend", 1, "ann/1", 5.0]',
        b'["intend", 1, "bob/1", 501]',
        b'["done", "carl/1", "r1"]',
        b'["done", "bob/1", 7]',
    ],
)
def test_nonsense_is_refused_and_changes_nothing(command: bytes) -> None:
    intents = Intents()
    told(intents, lead(1), intend(1, "bob/1", 500))
    before = intents.snapshot()
    with pytest.raises(ValueError, match=r"\w"):
        intents.apply(command)
    assert intents.snapshot() == before


def test_a_restored_copy_answers_alike() -> None:
    one, other = Intents(), Intents()
    told(one, lead(3), intend(3, "ann/1", 500), intend(3, "bob/1", 700), done("ann/1", "r1"))
    other.restore(one.snapshot())
    for command in (intend(3, "ann/1", 500), lead(2), lead(4), done("bob/1", "r2")):
        assert one.apply(command) == other.apply(command)
    assert one.snapshot() == other.snapshot()
