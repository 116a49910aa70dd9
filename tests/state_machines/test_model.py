"""The machine against a plain dict, and replicated under faults."""

from __future__ import annotations

from random import Random
from typing import Any

import cbor2
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from paxos.machines import (
    Change,
    Compare,
    Delete,
    Get,
    KeyValue,
    Put,
    Range,
    Transaction,
)
from paxos.machines.commands import Request, encode
from paxos.testing import check_machine

keys = st.sampled_from(["a", "ab", "abc", "b", "ba"])
values = st.binary(max_size=2)


class Modelled(RuleBasedStateMachine):
    """The machine, and beside it a dict and a list of changes."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = KeyValue()
        self.model: dict[str, bytes] = {}
        self.revision = 0
        self.changes: list[Change] = []

    def ask(self, request: Request) -> Any:
        revision, answer = cbor2.loads(self.machine.apply(encode(request)))
        assert revision == self.revision
        return answer

    def note(self, **written: bytes | None) -> None:
        self.revision += 1
        for key, value in written.items():
            self.changes.append(Change(self.revision, key, value))
            if value is None:
                del self.model[key]
            else:
                self.model[key] = value

    @rule(key=keys, value=values)
    def put(self, key: str, value: bytes) -> None:
        self.note(**{key: value})
        assert self.ask(Put(key, value)) is None

    @rule(key=keys)
    def delete(self, key: str) -> None:
        there = key in self.model
        if there:
            self.note(**{key: None})
        assert self.ask(Delete(key)) is there

    @rule(key=keys)
    def get(self, key: str) -> None:
        row = self.ask(Get(key))
        assert (None if row is None else row[0]) == self.model.get(key)

    @rule(prefix=st.sampled_from(["", "a", "ab", "x"]), after=keys, limit=st.integers(1, 4))
    def range(self, prefix: str, after: str, limit: int) -> None:
        wanted = sorted(k for k in self.model if k.startswith(prefix) and k > after)
        rows, more = self.ask(Range(prefix, after, limit))
        assert [key for key, _ in rows] == wanted[:limit]
        assert more is (len(wanted) > limit)

    @rule(key=keys, expected=values | st.none(), other=keys, value=values)
    def transact(self, key: str, expected: bytes | None, other: str, value: bytes) -> None:
        request = Transaction(
            (Compare(key, "value", "=", expected),), (Put(other, value),), (Get(key),)
        )
        held = self.model.get(key) == expected
        if held:
            self.note(**{other: value})
        assert self.ask(request)[0] is held

    @rule()
    def restart_from_a_snapshot(self) -> None:
        snapshot, self.machine = self.machine.snapshot(), KeyValue()
        self.machine.restore(snapshot)

    @rule(prefix=st.sampled_from(["", "a", "b"]), back=st.integers(0, 8), most=st.integers(1, 5))
    def watch(self, prefix: str, back: int, most: int) -> None:
        since = max(0, self.revision - back)
        seen: list[Change] = []
        while since < self.revision:
            changes, since = self.machine.changes(prefix, since, most)
            seen += changes
        first = max(0, self.revision - back)
        assert seen == [c for c in self.changes if c.revision > first and c.key.startswith(prefix)]

    @invariant()
    def same(self) -> None:
        assert dict(self.machine) == self.model
        assert list(self.machine) == sorted(self.model)
        assert self.machine.revision == self.revision


TestModelled = Modelled.TestCase
TestModelled.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def draw(random: Random) -> bytes:
    key, other = (f"k{random.randrange(4)}" for _ in range(2))
    value = b"%d" % random.randrange(100)
    return random.choice(
        (
            encode(Put(key, value)),
            encode(Delete(key)),
            encode(Get(key)),
            encode(Range("k")),
            encode(
                Transaction(
                    (Compare(key, "version", ">", 1),), (Delete(key),), (Put(other, value),)
                )
            ),
            b"no command",
        )
    )


def test_replicated_machine_is_the_same_on_every_node_under_faults() -> None:
    check_machine(KeyValue, draw, range(25))
