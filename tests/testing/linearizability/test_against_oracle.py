"""The checker and the oracle agree on random small histories, with values that repeat."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paxos.testing.linearizability import AppendList, History, Model, Recorder, Register, check
from tests.testing.linearizability.oracle import linearizable


def draw_history(random: Random, lists: bool, length: int) -> History:
    """Draw what a few processes ask and see; often it could have happened, often not."""
    recorder = Recorder()
    open_: dict[int, Any] = {}
    values: list[Any] = [1, 2] if random.random() < 0.5 else [1, 2, 3, 4, 5, 6]
    keys = ["x"] if random.random() < 0.7 else ["x", "y"]
    state: dict[str, Any] = {}
    appended: list[int] = []
    for _ in range(length):
        process = random.randrange(3)
        if process not in open_:
            f = random.choice(["read", "append"] if lists else ["read", "write", "cas"])
            value: Any = None if f == "read" else random.choice(values)
            if f == "cas":
                value = [random.choice([None, *values]), random.choice(values)]
            key = random.choice(keys)
            open_[process] = recorder.invoke(process, f, key, value), f, key, value
            continue
        handle, f, key, value = open_.pop(process)
        kind = random.choice(["ok", "ok", "ok", "ok", "fail", "info"])
        if kind == "fail":
            handle.fail()
        elif kind == "info":
            handle.info()
        elif f == "read" and lists:
            now = state.get(key, [])
            handle.ok(random.choice([now, now, now, now[:-1], appended[:], [*now, 1]]) or None)
        elif f == "read":
            handle.ok(random.choice([state.get(key), state.get(key), None, *values]))
        else:
            if f == "append":
                appended.append(value)
                state[key] = [*state.get(key, []), value]
            elif f == "write" or state.get(key) == value[0]:
                state[key] = value if f == "write" else value[1]
            handle.ok()
    return recorder.history()


@settings(max_examples=600, deadline=None)
@given(seed=st.integers(0, 2**40), length=st.integers(2, 18))
@pytest.mark.parametrize("kind", ["register", "strict", "append"])
def test_verdicts_are_the_same(kind: str, seed: int, length: int) -> None:
    lists, strict = kind == "append", kind == "strict"
    history = draw_history(Random(seed), lists, length)
    model: Model = AppendList() if lists else Register(strict_cas=strict)
    verdict = check(history, model)
    expected = linearizable(history.operations, lists=lists, strict_cas=strict)
    assert verdict.linearizable is expected
    if not expected:
        window = verdict.window
        assert window is not None
        assert len(window.operations) <= len(history.operations)


def test_both_verdicts_are_frequent() -> None:
    for lists, strict in ((False, False), (False, True), (True, False)):
        verdicts = [
            linearizable(
                draw_history(Random(seed), lists, 14).operations, lists=lists, strict_cas=strict
            )
            for seed in range(200)
        ]
        assert 30 < sum(verdicts) < 170, (lists, strict, sum(verdicts))
