from __future__ import annotations

import contextlib

import attrs
import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accept, Accepted, Message, Promise, Teach, Vote
from paxos.protocol.values import NOOP
from paxos.replicated.admission import Mark
from paxos.replicated.decrees import Decree
from paxos.replicated.effect_decrees import MAX_KEY, MAX_OUTCOME, MAX_RETENTION
from paxos.replicated.election_decrees import MAX_PRIORITY, MAX_PROCLAIMED, Resign
from paxos.replicated.messages import (
    Advanced,
    Answer,
    Knock,
    Outcome,
    OwnMessage,
    Polled,
    Propose,
    Refused,
    Status,
)
from paxos.replicated.snapshot import PIECE_BYTES
from paxos.replicated.snapshot_messages import SnapshotPiece
from paxos.replicated.values import MAX_COMMAND_BYTES, Batch, Command, Leadership, Session
from paxos.wire import Malformed, decode, decode_value, encode, encode_value
from paxos.wire.cbor import array, parse
from paxos.wire.codec import LAYOUTS, read_message
from paxos.wire.decrees import LAYOUTS as DECREES
from paxos.wire.values import MAX_COMMANDS, MAX_REMEMBERED

naturals = st.one_of(st.integers(0, 30), st.integers(0, 2**63 - 1))
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=64)
ballots = st.builds(Ballot, naturals, names)
any_ballots = st.one_of(ballots, st.just(Ballot.ZERO))
datas = st.binary(max_size=40)
sessions = st.builds(Session, st.sampled_from(["node1", "node2"]), st.integers(0, 2))
DECREE_FIELDS = {
    "election": names,
    "leader": names,
    "to": names,
    "node": names,
    "value": datas,
    "priority": st.integers(1 - MAX_PRIORITY, MAX_PRIORITY - 1),
    "waiting": st.booleans(),
    "name": names,
    "key": st.text(st.characters(codec="utf-8"), min_size=1, max_size=200),
    "since": st.just(-1) | naturals,
    "retention": st.integers(0, MAX_RETENTION),
    "outcome": datas,
}


def decrees_of(cls: type[Decree]) -> st.SearchStrategy[Decree]:
    fields = attrs.fields(cls)  # type: ignore[arg-type]
    return st.builds(cls, **{f.name: DECREE_FIELDS.get(f.name, naturals) for f in fields})


decrees = st.one_of([decrees_of(cls) for cls, _ in DECREES.values()])
commands = st.lists(
    st.builds(Command, sessions, st.integers(0, 6) | naturals, datas | decrees), max_size=12
).map(tuple)
leaderships = st.builds(Leadership, names, naturals)
values = st.one_of(st.builds(Batch, commands), leaderships, st.just(NOOP))
votes = st.lists(st.builds(Vote, naturals, ballots, values), max_size=4).map(tuple)

marks = st.builds(Mark, names, naturals, naturals)

SPECIAL = {
    "mark": marks,
    "without": st.lists(names, max_size=3).map(tuple),
    "marks": st.lists(marks, max_size=3).map(tuple),
    "highest": any_ballots,
    "value": values,
    "votes": votes,
    "commands": commands,
    "data": datas,
    "answer": st.booleans(),
    "granted": st.booleans(),
    "voting": st.booleans(),
    "outcome": st.sampled_from(Outcome),
    "node": names,
    "role": st.text(max_size=20),
    "why": st.text(max_size=100),
    "leadership": leaderships | st.none(),
    "last_leadership": leaderships | st.none(),
    "promised": ballots,
    "digest": st.binary(min_size=16, max_size=16),
    "indices": st.lists(naturals, min_size=1, max_size=32).map(tuple),
}


def messages_of(cls: type[Message]) -> st.SearchStrategy[Message]:
    fields = {field.name: SPECIAL.get(field.name, naturals) for field in attrs.fields(cls)}  # type: ignore[arg-type]
    if "ballot" in fields:
        fields["ballot"] = any_ballots if cls in (Polled, Status) else ballots
    if cls is SnapshotPiece:
        fields["data"] = st.binary(min_size=1, max_size=60) | st.just(bytes(PIECE_BYTES))
    if cls is Answer:
        fields["slot"] = naturals | st.just(-1)
    return st.builds(cls, **fields)


messages = st.one_of([messages_of(cls) for cls, _ in LAYOUTS.values()])

BALLOT = Ballot(7, "node1")
ACCEPTED = Accepted(BALLOT, 12)


def accepted_with(**changes: object) -> bytes:
    parts: dict[str, object] = {"kind": 4, "number": 7, "node": "node1", "slot": 12} | changes
    return cbor2.dumps([parts["kind"], [parts["number"], parts["node"]], parts["slot"]])


def batch_of(*runs: object) -> bytes:
    return cbor2.dumps([2, *runs])


@given(messages)
def test_every_message_comes_back_as_it_was(message: Message) -> None:
    assert decode(encode(message)) == message


@given(messages)
def test_what_comes_back_has_the_exact_types(message: Message) -> None:
    assert repr(decode(encode(message))) == repr(message)


@given(values)
def test_every_value_comes_back_as_it_was(value: object) -> None:
    assert decode_value(encode_value(value)) == value


@given(st.binary(max_size=200))
@example(b"")
@example(b"\x00")
@example(b"\x80")
@example(b"\x81\x82\x04")
@example(b"\xa1\xf7\xf7")
@example(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff")
@example(b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff")
def test_arbitrary_bytes_are_malformed_or_a_message(data: bytes) -> None:
    for read in (decode, decode_value):
        with contextlib.suppress(Malformed):
            read(data)


@given(messages, st.data())
def test_a_mutated_message_is_malformed_or_another_message(
    message: Message, data: st.DataObject
) -> None:
    encoded = bytearray(encode(message))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        other = decode(bytes(encoded))
    except Malformed:
        return
    assert decode(encode(other)) == other


@given(messages)
def test_a_message_cut_short_is_malformed(message: Message) -> None:
    encoded = encode(message)
    with pytest.raises(Malformed):
        decode(encoded[:-1])


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=12,
)


@given(st.sampled_from(sorted(LAYOUTS)), st.lists(plain, max_size=10))
def test_fields_of_any_type_are_malformed_or_a_message(kind: int, fields: list[object]) -> None:
    with contextlib.suppress(Malformed):
        decode(cbor2.dumps([kind, *fields]))


def test_the_bytes_of_a_message_are_the_documented_ones() -> None:
    assert encode(ACCEPTED) == cbor2.dumps([4, [7, "node1"], 12]) == accepted_with()


def test_commands_of_one_session_share_one_run() -> None:
    session = Session("node1", 3)
    batch = Batch(tuple(Command(session, number, b"x") for number in (5, 6, 7)))
    assert encode_value(batch) == batch_of(["node1", 3, 5, [b"x", b"x", b"x"]])


def test_a_gap_in_the_numbers_begins_another_run() -> None:
    session = Session("node1", 3)
    batch = Batch((Command(session, 5, b"x"), Command(session, 7, b"y")))
    assert encode_value(batch) == batch_of(["node1", 3, 5, [b"x"]], ["node1", 3, 7, [b"y"]])


@pytest.mark.parametrize(
    "tagged",
    [
        b"\xc0\x74" + b"2020-01-01T00:00:00Z",
        b"\xc2\x41\x0c",
        b"\xc4\x82\x1a\x7f\xff\xff\xff\x01",
        b"\xd8\x1d\x00",
        b"\xd8\x23\x61(",
        b"\xd9\xff\xff\x0c",
    ],
    ids=["time", "bignum", "decimal", "shared", "regexp", "unknown"],
)
def test_a_tag_is_refused_whatever_is_inside(tagged: bytes) -> None:
    encoded = b"\x83\x04\x82\x07\x65node1" + tagged
    with pytest.raises(Malformed):
        decode(encoded)


def test_a_tag_around_the_whole_is_refused() -> None:
    with pytest.raises(Malformed):
        decode(b"\xd9\xd9\xf7" + encode(ACCEPTED))


def test_an_array_of_indefinite_length_is_refused() -> None:
    with pytest.raises(Malformed):
        decode(b"\x9f\x04\x82\x07\x65node1\x0c\xff")


def test_a_string_of_indefinite_length_is_refused() -> None:
    with pytest.raises(Malformed):
        decode(b"\x83\x04\x82\x07\x7f\x65node1\xff\x0c")


@pytest.mark.parametrize("extra", [b"\x00", b"\xf6", b"\xff", b"\x1b", b"\x1b" + bytes(8)])
def test_bytes_after_the_end_are_refused(extra: bytes) -> None:
    with pytest.raises(Malformed):
        decode(encode(ACCEPTED) + extra)


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(Malformed):
        decode(accepted_with(slot=True))
    with pytest.raises(Malformed):
        decode(accepted_with(number=False))


def test_a_number_is_no_truth_value() -> None:
    with pytest.raises(Malformed):
        decode(cbor2.dumps([20, 1, 2, 1, [7, "node1"], 3]))


def test_a_whole_float_is_no_number() -> None:
    with pytest.raises(Malformed):
        decode(accepted_with(slot=12.0))


def test_a_nest_that_is_too_deep_is_refused() -> None:
    with pytest.raises(Malformed):
        decode(b"\x81" * 5000 + b"\x00")


def test_the_deepest_message_is_not_too_deep_in_a_frame() -> None:
    batch = Batch((Command(Session("node1", 1), 1, Resign("billing")),))
    promise = Promise(BALLOT, 0, 1, (Vote(0, BALLOT, batch),))
    (item,) = parse(array([encode(promise)]))
    assert read_message(item) == promise


@pytest.mark.parametrize("slot", [-1, 2**63, 2**64 - 1, None, "12", b"12", [12]])
def test_a_slot_out_of_bounds_is_refused(slot: object) -> None:
    with pytest.raises(Malformed):
        decode(accepted_with(slot=slot))


@pytest.mark.parametrize("node", ["", "n" * 65, b"node1", None])
def test_a_name_out_of_bounds_is_refused(node: object) -> None:
    with pytest.raises(Malformed):
        decode(accepted_with(node=node))


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(Malformed):
        decode(b"\x83\x04\x82\x07\x61\xff\x0c")


def test_nobody_votes_at_the_zero_ballot() -> None:
    with pytest.raises(Malformed):
        decode(encode(Accepted(Ballot.ZERO, 12)))


@pytest.mark.parametrize("kind", [0, 99, -1, True, "4", None])
def test_an_unknown_kind_is_refused(kind: object) -> None:
    with pytest.raises(Malformed):
        decode(accepted_with(kind=kind))


def test_a_field_too_many_or_too_few_is_refused() -> None:
    for item in ([4, [7, "node1"]], [4, [7, "node1"], 12, 13]):
        with pytest.raises(Malformed):
            decode(cbor2.dumps(item))


def test_a_map_is_no_message() -> None:
    with pytest.raises(Malformed):
        decode(cbor2.dumps({4: [7, "node1"]}))


def test_a_command_of_full_size_travels_and_a_longer_one_does_not() -> None:
    session = Session("node1", 1)
    longest = Accept(BALLOT, 3, Batch((Command(session, 1, bytes(MAX_COMMAND_BYTES)),)))
    assert decode(encode(longest)) == longest
    too_long = Accept(BALLOT, 3, Batch((Command(session, 1, bytes(MAX_COMMAND_BYTES + 1)),)))
    with pytest.raises(Malformed):
        decode(encode(too_long))


def test_too_many_bytes_in_all_runs_together_are_refused() -> None:
    half = bytes(MAX_COMMAND_BYTES // 2)
    commands = tuple(Command(Session("node1", boot), 1, half) for boot in range(3))
    with pytest.raises(Malformed):
        decode(encode(Propose(commands, 1)))


def test_too_many_commands_in_all_runs_together_are_refused() -> None:
    full = ["node1", 1, 0, [b""] * MAX_COMMANDS]
    assert len(decode_value(batch_of(full)).commands) == MAX_COMMANDS  # type: ignore[union-attr]
    with pytest.raises(Malformed):
        decode_value(batch_of(full, ["node1", 2, 0, [b""]]))


def test_decree_stands_as_an_array_where_a_command_would_be_bytes() -> None:
    session = Session("node1", 3)
    batch = Batch((Command(session, 5, b"x"), Command(session, 6, Resign("billing"))))
    assert encode_value(batch) == batch_of(["node1", 3, 5, [b"x", [4, "billing"]]])


@pytest.mark.parametrize(
    "decree",
    [
        [],
        [4],
        [4, ""],
        [4, "billing", 1],
        [4, b"billing"],
        [0, "billing"],
        [True, "billing"],
        [99, "billing"],
        [1, "node1", 1, ""],
        [3, 1, 1, "billing", MAX_PRIORITY, b""],
        [3, 1, 1, "billing", -MAX_PRIORITY, b""],
        [3, 1, 1, "billing", 0, bytes(MAX_PROCLAIMED + 1)],
        [5, "billing", -1, b""],
        [16, "billing", "", 1, -1, 0],
        [16, "billing", "k" * (MAX_KEY + 1), 1, -1, 0],
        [16, "billing", "k", 1, -2, 0],
        [16, "billing", "k", 1, -1, MAX_RETENTION + 1],
        [17, "billing", "k", bytes(MAX_OUTCOME + 1), 0],
        [17, "billing", "k", b"", -1],
    ],
)
def test_decree_that_is_not_as_written_is_refused(decree: object) -> None:
    with pytest.raises(Malformed):
        decode_value(batch_of(["node1", 3, 5, [decree]]))


def test_client_proposes_no_decree() -> None:
    decode_value(batch_of(["client-1", 0, 5, [b"x"]]))
    with pytest.raises(Malformed, match="client's command is not bytes"):
        decode_value(batch_of(["client-1", 0, 5, [[4, "billing"]]]))


def test_decrees_count_for_the_bytes_of_a_message() -> None:
    long = [5, "billing", 1, bytes(MAX_PROCLAIMED)]
    decode_value(batch_of(["node1", 3, 0, [long] * 300]))
    with pytest.raises(Malformed, match="too many bytes"):
        decode_value(batch_of(["node1", 3, 0, [long] * 400]))


@pytest.mark.parametrize(
    "run",
    [
        ["node1", 1, 0, []],
        ["node1", 1, 0, ["text"]],
        ["node1", 1, 0, [b"", None]],
        ["node1", 1, 2**63 - 1, [b"", b""]],
        ["node1", 1, [b""]],
        "node1",
    ],
)
def test_a_run_that_is_not_as_written_is_refused(run: object) -> None:
    with pytest.raises(Malformed):
        decode_value(batch_of(run))


@pytest.mark.parametrize(
    "item", [[0, 0], [1, "node1"], [1, "node1", -1], [3], [], 0, [True, "n", 1]]
)
def test_a_value_that_is_not_as_written_is_refused(item: object) -> None:
    with pytest.raises(Malformed):
        decode_value(cbor2.dumps(item))


def test_a_truth_value_is_no_kind_of_value() -> None:
    with pytest.raises(Malformed):
        decode(cbor2.dumps([8, 3, cbor2.dumps([False]), 5, 9]))
    assert decode(cbor2.dumps([8, 3, cbor2.dumps([0]), 5, 9])) == Teach(3, NOOP, 5, 9)


def test_value_in_a_message_is_a_byte_string() -> None:
    assert encode(Teach(3, NOOP, 5, 9)) == cbor2.dumps([8, 3, encode_value(NOOP), 5, 9])
    with pytest.raises(Malformed):
        decode(cbor2.dumps([8, 3, [0], 5, 9]))


@pytest.mark.parametrize(("size", "remembered"), [(100, True), (MAX_REMEMBERED, False)])
def test_batch_is_encoded_once_wherever_it_goes_unless_it_is_large(
    size: int, remembered: bool
) -> None:
    batch = Batch((Command(Session("node1", 3), 5, bytes(size)),))
    data = encode_value(batch)
    heard = decode_value(data)
    assert isinstance(heard, Batch)
    assert heard == batch
    assert encode_value(heard) == encode_value(batch) == data
    assert (encode_value(heard) is data, encode_value(batch) is data) == (remembered, remembered)


def test_what_never_travels_is_not_encoded() -> None:
    with pytest.raises(TypeError, match="Advanced does not travel"):
        encode(Advanced())
    with pytest.raises(TypeError):
        encode_value("text")


def test_every_message_that_travels_has_a_layout() -> None:
    everything = {cls for cls in Message.__subclasses__() if cls.__module__.startswith("paxos.")}
    assert everything - {OwnMessage, Refused, Knock} == {cls for cls, _ in LAYOUTS.values()}


@pytest.mark.parametrize(
    "item",
    [
        [9, 5, 100, b"short"],
        [9, 5, 100, "x" * 16],
        [10, 5, bytes(16), []],
        [10, 5, bytes(16), [0] * 33],
        [10, 5, bytes(16), [-1]],
        [10, 5, bytes(16), 0],
        [11, bytes(16), 0, b""],
        [11, bytes(16), 0, bytes(PIECE_BYTES + 1)],
        [11, bytes(16), -1, b"x"],
    ],
)
def test_message_about_a_snapshot_that_is_not_as_written_is_refused(item: object) -> None:
    with pytest.raises(Malformed):
        decode(cbor2.dumps(item))
