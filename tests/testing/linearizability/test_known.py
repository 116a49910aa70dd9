"""Histories whose verdicts anybody can see."""

from __future__ import annotations

import json
import time
from random import Random
from typing import Any

import pytest

from paxos.testing.linearizability import (
    AppendList,
    History,
    Model,
    ModelError,
    Recorder,
    Register,
    check,
    draw,
    read_history,
)

Event = tuple[int, str, str, Any]


def history(*events: Event, key: str = "x") -> History:
    """Return the history of these events: process, type, f, value."""
    return read_history(
        json.dumps({"process": process, "type": kind, "f": f, "key": key, "value": value})
        for process, kind, f, value in events
    )


def done(process: int, f: str, value: Any, seen: Any = None) -> list[Event]:
    """Return an operation that overlaps no other."""
    result = seen if f == "read" else value
    return [(process, "invoke", f, value), (process, "ok", f, result)]


W1, W2, R0, R1, R2 = (
    done(1, "write", 1),
    done(1, "write", 2),
    done(2, "read", None, None),
    done(2, "read", None, 1),
    done(2, "read", None, 2),
)
BEGIN_W1, END_W1 = (1, "invoke", "write", 1), (1, "ok", "write", 1)

REGISTER: dict[str, tuple[list[Event], bool]] = {
    "nothing": ([], True),
    "unwritten key reads null": (R0, True),
    "read of what nobody wrote": (R1, False),
    "read after write": ([*W1, *R1], True),
    "stale read": ([*W1, *R0], False),
    "overwritten value comes back": ([*W1, *W2, *R2, *R1], False),
    "read during a write sees the old": ([BEGIN_W1, *R0, END_W1, *R1], True),
    "read during a write sees the new": ([BEGIN_W1, *R1, END_W1], True),
    "new, then old, during one write": ([BEGIN_W1, *R1, *R0, END_W1], False),
    "write of unknown outcome took effect": (
        [BEGIN_W1, (1, "info", "write", 1), *R0, *R1], True,
    ),
    "write of unknown outcome takes effect late": (
        [BEGIN_W1, (1, "info", "write", 1), *done(3, "write", 2), *R2, *R1], True,
    ),
    "write of unknown outcome takes effect twice": (
        [BEGIN_W1, (1, "info", "write", 1), *R1, *done(3, "write", 2), *R2, *R1], False,
    ),
    "write that never ended took effect": ([BEGIN_W1, *R0, *R1], True),
    "failed write took effect": ([BEGIN_W1, (1, "fail", "write", 1), *R1], False),
    "failed read says nothing": ([*W1, (2, "invoke", "read", None), (2, "fail", "read", 7)], True),
    "cas": ([*W1, *done(1, "cas", [1, 2]), *R2], True),
    "cas of another value": ([*W1, *done(1, "cas", [2, 3])], False),
    "cas of a key never written": ([*done(1, "cas", [None, 2]), *R2], True),
    "cas succeeds twice": ([*W1, *done(1, "cas", [1, 2]), *done(2, "cas", [1, 3])], False),
    "failed cas took effect": (
        [*W1, (1, "invoke", "cas", [1, 2]), (1, "fail", "cas", [1, 2]), *R2], False,
    ),
    "failed cas that would have fitted": (
        [*W1, (1, "invoke", "cas", [1, 2]), (1, "fail", "cas", [1, 2]), *R1], True,
    ),
    "cas of unknown outcome": (
        [*W1, (1, "invoke", "cas", [1, 2]), (1, "info", "cas", [1, 2]), *R1, *R2], True,
    ),
    "cas of unknown outcome that cannot have worked": (
        [*W1, (1, "invoke", "cas", [7, 2]), (1, "info", "cas", [7, 2]), *R2], False,
    ),
    "one and true are two values": ([*done(1, "write", 1), *done(2, "read", None, True)], False),
    "one and 1.0 are one value": ([*done(1, "write", 1), *done(2, "read", None, 1.0)], True),
    "zero and false are two values": ([*done(1, "write", 0), *done(2, "read", None, False)], False),
    "null may be written": ([*W1, *done(1, "write", None), *R0], True),
    "objects are values": (
        [*done(1, "write", {"a": 1, "b": [2]}), *done(2, "read", None, {"b": [2], "a": 1})], True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REGISTER)
def test_register(name: str) -> None:
    events, expected = REGISTER[name]
    verdict = check(history(*events), Register())
    assert verdict.linearizable is expected
    assert (verdict.window is None) is expected
    if verdict.window is not None:
        assert draw(verdict.window)


def test_failed_cas_is_an_observation_only_where_that_is_asked_for() -> None:
    events = [*W1, (1, "invoke", "cas", [1, 2]), (1, "fail", "cas", [1, 2])]
    assert check(history(*events), Register()).linearizable is True
    assert check(history(*events), Register(strict_cas=True)).linearizable is False
    other = [*W1, (1, "invoke", "cas", [7, 2]), (1, "fail", "cas", [7, 2])]
    assert check(history(*other), Register(strict_cas=True)).linearizable is True


APPEND: dict[str, tuple[list[Event], bool]] = {
    "empty is null or an empty list": (
        [*done(1, "read", None, None), *done(1, "read", None, [])], True,
    ),
    "in order": (
        [*done(1, "append", 1), *done(1, "append", 2), *done(2, "read", None, [1, 2])], True,
    ),
    "out of order": (
        [*done(1, "append", 1), *done(1, "append", 2), *done(2, "read", None, [2, 1])], False,
    ),
    "lost": ([*done(1, "append", 1), *done(1, "append", 2), *done(2, "read", None, [2])], False),
    "at once, in any order": (
        [(1, "invoke", "append", 1), (2, "invoke", "append", 2), (1, "ok", "append", 1),
         (2, "ok", "append", 2), *done(3, "read", None, [2, 1])], True,
    ),
    "two orders": (
        [(1, "invoke", "append", 1), (2, "invoke", "append", 2), (1, "ok", "append", 1),
         (2, "ok", "append", 2), *done(3, "read", None, [2, 1]), *done(3, "read", None, [1, 2])],
        False,
    ),
    "shrinks": (
        [*done(1, "append", 1), *done(2, "read", None, [1]), *done(2, "read", None, [])], False,
    ),
    "unknown append is late": (
        [(1, "invoke", "append", 1), (1, "info", "append", 1), *done(2, "append", 2),
         *done(2, "read", None, [2]), *done(2, "read", None, [2, 1])], True,
    ),
    "unknown append twice": (
        [(1, "invoke", "append", 1), (1, "info", "append", 1), *done(2, "read", None, [1, 1])],
        False,
    ),
    "equal elements twice": (
        [*done(1, "append", 1), *done(1, "append", 1), *done(2, "read", None, [1, 1])], True,
    ),
    "element from nowhere": ([*done(2, "read", None, [9])], False),
    "not a list": ([*done(1, "append", 1), *done(2, "read", None, 1)], False),
}  # fmt: skip


@pytest.mark.parametrize("name", APPEND)
def test_append(name: str) -> None:
    events, expected = APPEND[name]
    assert check(history(*events), AppendList()).linearizable is expected


def test_keys_are_independent() -> None:
    recorder = Recorder()
    recorder.invoke(1, "write", "a", 1).ok()
    recorder.invoke(1, "write", "b", 2).ok()
    recorder.invoke(2, "read", "a").ok(1)
    recorder.invoke(2, "read", "b").ok(2)
    assert check(recorder.history(), Register()).linearizable
    recorder.invoke(2, "read", "b").ok(1)
    verdict = check(recorder.history(), Register())
    assert verdict.linearizable is False
    assert verdict.key == "b"


def test_window_is_short() -> None:
    recorder = Recorder()
    for value in range(500):
        recorder.invoke(1, "write", "x", value).ok()
        recorder.invoke(2, "read", "x").ok(value if value != 300 else 299)
    verdict = check(recorder.history(), Register())
    assert verdict.window is not None
    assert len(verdict.window.operations) <= 3


def test_operation_that_the_model_does_not_know_is_an_error() -> None:
    with pytest.raises(ModelError, match="line 1: append"):
        check(history(*done(1, "append", 1)), Register())


def busy_history(model: str, clients: int, operations: int) -> History:
    """Return what many clients of one key see; all is explained by the moments of effect."""
    random, recorder = Random(7), Recorder()
    state: Any = [] if model == "append" else None
    open_: dict[int, Any] = {}
    for number in range(operations):
        client = random.randrange(clients)
        if client in open_:
            handle, f, seen = open_.pop(client)
            if random.random() < 0.02:
                handle.info()
            else:
                handle.ok(seen) if f == "read" else handle.ok()
            continue
        f = random.choice(["read", "append" if model == "append" else "write"])
        value = None if f == "read" else number
        handle = recorder.invoke(client, f, "x", value)
        if f == "append":
            state = [*state, value]
        elif f == "write":
            state = value
        open_[client] = handle, f, state
    return recorder.history()


@pytest.mark.parametrize(("kind", "model"), [("register", Register()), ("append", AppendList())])
def test_thousands_of_operations_of_dozens_of_clients_are_quick(kind: str, model: Model) -> None:
    busy = busy_history(kind, 40, 6_000)
    began = time.process_time()
    assert check(busy, model, timeout=60).linearizable is True
    assert time.process_time() - began < 20
