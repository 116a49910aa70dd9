from __future__ import annotations

import contextlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxos.machines import (
    BadCommand,
    Delete,
    Get,
    KeyValue,
    Put,
    Range,
    Transaction,
)
from paxos.machines.commands import MAX_KEY, MAX_PARTS, MAX_VALUE, Simple, decode, encode

BAD: list[object] = [
    b"hello",
    b"",
    cbor2.dumps(None),
    cbor2.dumps([]),
    cbor2.dumps([9]),
    cbor2.dumps([-1, "k"]),
    cbor2.dumps([True, "k"]),
    cbor2.dumps([0, "k"]),
    cbor2.dumps([0, "k", "text"]),
    cbor2.dumps([0, "", b""]),
    cbor2.dumps([0, b"k", b""]),
    cbor2.dumps([0, "k" * (MAX_KEY + 1), b""]),
    cbor2.dumps([0, "k", bytes(MAX_VALUE + 1)]),
    cbor2.dumps([0, "k", b"", 1]),
    cbor2.dumps([2, "k"]) + b"\x00",
    cbor2.dumps([3, "", "", 0]),
    cbor2.dumps([3, "", "", True]),
    cbor2.dumps([3, "", "", 10**6]),
    cbor2.dumps([4, [], [[4, [], [], []]], []]),
    cbor2.dumps([4, [], [[5, "", 0, 1]], []]),
    cbor2.dumps([4, [["k", "value", "=", 1]], [], []]),
    cbor2.dumps([4, [["k", "value", "<", None]], [], []]),
    cbor2.dumps([4, [["k", "colour", "=", b""]], [], []]),
    cbor2.dumps([4, [["k", "version", "~", 1]], [], []]),
    cbor2.dumps([4, [["k", "version", "=", -1]], [], []]),
    cbor2.dumps([4, [["k", "version", "=", 2**64]], [], []]),
    cbor2.dumps([4, [["k", ["version"], "=", 1]], [], []]),
    cbor2.dumps([4, [], [[2, "k"]] * (MAX_PARTS + 1), []]),
    cbor2.dumps([4, [], [[0, "k", b""], [1, "k"]], []]),
    cbor2.dumps([5, "", -1, 1]),
    cbor2.dumps([0, "k", bytes(1 << 20)]),
]


@pytest.mark.parametrize("command", BAD)
def test_bad_command_is_refused_and_changes_nothing(machine: KeyValue, command: bytes) -> None:
    before = machine.snapshot()
    with pytest.raises(BadCommand):
        machine.apply(command)
    with pytest.raises(BadCommand):
        machine.query(command)
    assert machine.snapshot() == before


def test_query_changes_nothing(machine: KeyValue) -> None:
    for request in (Put("k", b""), Delete("k"), Transaction()):
        with pytest.raises(BadCommand, match="propose it"):
            machine.query(encode(request))


@pytest.mark.parametrize(
    "request_", [Put("", b""), Put("k", bytes(MAX_VALUE + 1)), Get("\ud800"), Range(limit=0)]
)
def test_what_would_be_refused_is_not_even_encoded(request_: Simple) -> None:
    with pytest.raises(BadCommand):
        encode(request_)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_command_or_bad(data: bytes) -> None:
    with contextlib.suppress(BadCommand):
        assert decode(encode(decode(data))) == decode(data)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(0, 6) | st.sampled_from(["k", "", "=", "value"]),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=15,
)


@given(st.integers(0, 6), st.lists(plain, max_size=4))
def test_any_fields_are_a_command_or_bad(kind: int, fields: list[object]) -> None:
    machine = KeyValue()
    with contextlib.suppress(BadCommand):
        machine.apply(cbor2.dumps([kind, *fields]))
