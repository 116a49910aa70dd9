from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator

import attrs
import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxos.replicated.effect_decrees import MAX_RETENTION
from paxos.replicated.effects import EffectsSnapshot
from paxos.replicated.elections import Candidate, ElectionsSnapshot
from paxos.replicated.sessions import SESSION_WINDOW, Answered, SessionsSnapshot
from paxos.replicated.snapshot import PIECE_BYTES, Snapshot
from paxos.replicated.values import Failure, Leadership
from paxos.wire import Malformed, read_snapshot, write_snapshot
from paxos.wire.snapshots import HEAD

NODES = (("node1", 2, 7, ()), ("node2", 1, 7, (9, 12, 6 + SESSION_WINDOW)))
CLIENTS = (
    ("client-b", Answered(3, 40, b"answer")),
    ("client-a", Answered(1, 2, Failure("ValueError: no"))),
    ("client-c", Answered(5, 41, None)),
)
ELECTIONS = ElectionsSnapshot(
    (
        ("billing", 7, "node2", b"v", "", None, (Candidate("node1", -3, 9, b"x"),)),
        ("reports", 1, None, b"", "expired", "node1", ()),
    ),
    (("node1", 1, 4, 1_000_000), ("node2", 2, 9, 500_000)),
    12,
)
NO_ELECTIONS = ((), (), 0)
EFFECTS = EffectsSnapshot(
    1_700_000_000,
    (("billing", 86_400, 12), ("mail", 0, 0)),
    (("billing", "cem/1", 7), ("billing", "ann/1", 6)),
    (
        ("billing", "bob/1", b"receipt", 12, 1_600_000_000),
        ("mail", "bob/1", b"", 12, 1_600_000_000),
    ),
)
NO_EFFECTS = (0, (), (), ())
SNAPSHOT = Snapshot(
    42, 0xDEADBEEF, Leadership("node2", 5), SessionsSnapshot(NODES, CLIENTS), ELECTIONS, EFFECTS, ()
)


def with_machine(*parts: bytes) -> Snapshot:
    return attrs.evolve(SNAPSHOT, machine=parts)


def head_of(*items: object) -> list[bytes]:
    head = cbor2.dumps(items)
    return [struct.pack(">II", len(head), zlib.crc32(head)) + head]


def test_every_field_but_the_machine_is_in_the_head() -> None:
    names = [field.name for field in attrs.fields(Snapshot)]
    assert [name for name, _ in HEAD] == names[:-1]
    assert names[-1] == "machine"


@given(st.lists(st.binary(max_size=300) | st.integers(0, 200_000).map(bytes), max_size=6))
def test_snapshot_survives_in_pieces_of_one_size(parts: list[bytes]) -> None:
    pieces = list(write_snapshot(with_machine(*parts)))
    assert {len(piece) for piece in pieces[:-1]} <= {PIECE_BYTES}
    assert 0 < len(pieces[-1]) <= PIECE_BYTES
    read = read_snapshot(pieces)
    assert b"".join(read.machine) == b"".join(parts)
    assert attrs.evolve(read, machine=()) == SNAPSHOT


def test_machine_is_read_piece_by_piece_and_not_before_it_is_asked_for() -> None:
    asked: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(10):
            asked.append(number)
            yield bytes(PIECE_BYTES)

    read = read_snapshot(write_snapshot(attrs.evolve(SNAPSHOT, machine=parts())))
    assert asked == [0]
    for _ in range(3):
        next(iter(read.machine))
    assert asked == [0, 1, 2]


NODE = ("node1", 1, 4, 1_000_000)
BILLING = (("billing", 1, 0),)


@pytest.mark.parametrize(
    "items",
    [
        (2, 1, 1, None, [[], []], NO_ELECTIONS, NO_EFFECTS),
        (1, -1, 1, None, [[], []], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1 << 32, None, [[], []], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, ["node1"], [[], []], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None, [[]], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None, [[["node1", 0, 0]], []], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None, [[["", 0, 0, []]], []], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None, [[["node1", 0, 5, [5]]], []], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None, [[["node1", 0, 5, [8, 7]]], []], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None, [[["node1", 0, 5, [5 + SESSION_WINDOW]]], []], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None, [[["node1", 0, 0, []], ["node1", 1, 0, []]], []], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None, [[], [["client-1", 1, 1, b"a", "b"]]], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None, [[], [["client-1", 1, 1, "a", None]]], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None, [[], [["client-1", 1, 1, bytes(4097), None]]], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None, [[], [["client-1", True, 1, None, None]]], NO_ELECTIONS, NO_EFFECTS),
        (1, 1, 1, None),
        (1, 1, 1, None, [[], []]),
        *(
            (1, 1, 1, None, [[], []], (elections, sessions, 0), NO_EFFECTS)
            for elections, sessions in (
                ([["billing", 1, "node1", b"", "", None, []]], []),
                ([["billing", 1, "node1", b"", "", None, [["node1", 0, 0, b""]]]], [NODE]),
                ([["billing", 1, None, b"", "", None, [["node2", 0, 0, b""]]]], [NODE]),
                ([["billing", 1, None, b"", "", None, [["node1", 0, -1, b""]]]], [NODE]),
                ([["billing", 1, None, b"", "", "", []]], [NODE]),
                ([["billing", 1, None, "", "", None, []]], [NODE]),
                ([["billing", 1, None, b"", None, None, []]], [NODE]),
                ([["", 1, None, b"", "", None, []]], [NODE]),
                ([["billing", 1, None, b"", ""]], [NODE]),
                ([], [NODE, NODE]),
                ([], [["node1", 1, 4, None]]),
                ([], None),
            )
        ),
        *(
            (1, 1, 1, None, [[], []], NO_ELECTIONS, effects)
            for effects in (
                None,
                (0, (), ()),
                (-1, (), (), ()),
                (0, (("billing", MAX_RETENTION + 1, 0),), (), ()),
                (0, (("billing", 1, 0), ("billing", 2, 0)), (), ()),
                (0, (), (("billing", "k", 1),), ()),
                (0, BILLING, (("billing", "", 1),), ()),
                (0, BILLING, (("billing", "k" * 201, 1),), ()),
                (0, BILLING, (("billing", "k", 1), ("billing", "k", 2)), ()),
                (0, BILLING, (("billing", "k", 1),), (("billing", "k", b"", 1, 1),)),
                (0, BILLING, (), (("billing", "k", "", 1, 1),)),
                (0, BILLING, (), (("billing", "k", bytes(4097), 1, 1),)),
                (0, BILLING, (), (("billing", "k", b"", 2, 1), ("billing", "j", b"", 1, 1))),
                (
                    0,
                    BILLING,
                    (),
                    tuple(("billing", str(n), bytes(4096), 1, 1) for n in range(4100)),
                ),
            )
        ),
    ],
)
def test_head_that_departs_from_the_table_is_refused(items: tuple[object, ...]) -> None:
    with pytest.raises(Malformed):
        read_snapshot(head_of(*items))


def test_head_is_accepted_as_the_tests_of_refusals_write_it() -> None:
    assert read_snapshot(head_of(1, 1, 1, None, [[], []], NO_ELECTIONS, NO_EFFECTS)).position == 1
    rows = (("billing", "j", 1),), (("billing", "k", b"", 1, 1),)
    read_snapshot(head_of(1, 1, 1, None, [[], []], NO_ELECTIONS, (0, BILLING, *rows)))


def test_damaged_or_cut_head_is_refused() -> None:
    (piece,) = write_snapshot(SNAPSHOT)
    for at in range(len(piece)):
        with pytest.raises(Malformed):
            read_snapshot([piece[:at]])
        damaged = bytearray(piece)
        damaged[at] ^= 1
        with pytest.raises(Malformed):
            read_snapshot([bytes(damaged)])


def test_head_longer_than_any_is_refused_before_it_is_gathered() -> None:
    def endless() -> Iterator[bytes]:
        yield struct.pack(">II", (1 << 32) - 1, 0)
        raise AssertionError("no more was needed")

    with pytest.raises(Malformed, match="too long"):
        read_snapshot(endless())


@given(st.lists(st.binary(max_size=64)))
def test_any_bytes_are_read_or_refused(pieces: list[bytes]) -> None:
    with contextlib.suppress(Malformed):
        read_snapshot(pieces)
