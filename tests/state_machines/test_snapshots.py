from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paxos.machines import (
    Change,
    Delete,
    KeyValue,
    KeyValueClient,
    Put,
)
from paxos.machines import store as store_module
from paxos.machines.commands import encode


async def test_snapshot_carries_revisions_and_history(
    machine: KeyValue, client: KeyValueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_CHANGES", 50)
    for number in range(100):
        await client.put(f"k{number % 20}", b"%d" % number)
    await client.delete("k3")
    other = KeyValue()
    watch = other.watch(since=100)
    other.restore(machine.snapshot())
    assert dict(other) == dict(machine)
    assert other.snapshot() == machine.snapshot()
    assert (other.revision, other.compacted) == (101, machine.compacted)
    assert await anext(watch) == Change(101, "k3", None)
    for either in (machine, other):
        either.apply(encode(Put("k3", b"again")))
    assert other.snapshot() == machine.snapshot()


def test_parts_of_a_snapshot_show_nothing_that_comes_later(machine: KeyValue) -> None:
    for number in range(500):
        machine.apply(encode(Put(f"k{number}", bytes(1000))))
    whole, parts = machine.snapshot(), machine.snapshot_parts()
    for number in range(250):
        machine.apply(encode(Delete(f"k{number}")))
        machine.apply(encode(Put(f"l{number}", b"later")))
    taken = list(parts)
    assert b"".join(taken) == whole
    assert len(taken) > 8


@given(st.integers(1, 500), st.randoms())
@settings(max_examples=20)
def test_parts_may_be_cut_anyhow(length: int, random: Random) -> None:
    machine, other = KeyValue(), KeyValue()
    for number in range(100):
        machine.apply(encode(Put(f"k{number}", bytes(random.randrange(50)))))
    whole = machine.snapshot()

    def cut() -> Iterator[bytes]:
        for start in range(0, len(whole), length):
            yield whole[start : start + length]

    other.restore_parts(cut())
    assert other.snapshot() == whole


def test_damaged_snapshot_is_refused_and_changes_nothing(machine: KeyValue) -> None:
    for number in range(100):
        machine.apply(encode(Put(f"k{number}", b"x")))
    whole, other = machine.snapshot(), KeyValue()
    for bad in (
        b"",
        b"nonsense",
        whole[:-1],
        whole[:30],
        whole + b"\x00\x00\x00\x02\x81\x00",
        b"\x00\x00\x00\x06\x85\x01\x00\x00\x80\x00",
        b"\0" * 9,
    ):
        with pytest.raises(ValueError, match="snapshot"):
            other.restore(bad)
    assert len(other) == other.revision == 0
