from __future__ import annotations

from random import Random

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accept, Accepted, Prepare
from paxos.replicated.values import Batch, Command, Session
from paxos.wire import MAX_MESSAGE_BYTES, Sealer, encode
from paxos.wire.cbor import array
from paxos.wire.link import MAX_DATAGRAM, MAX_MALFORMED, MIN_DATAGRAM
from paxos.wire.parts import MAX_WINDOW, Missing, Part, Shape, encode_item
from tests.wire.links import KEY, acquaint, acquainted, exchange, seal, wire

BALLOT = Ballot(7, "node1")
ACCEPTED = Accepted(BALLOT, 12)


def accept_of(length: int) -> Accept:
    command = Command(Session("node1", 1), 1, Random(length).randbytes(length))
    return Accept(BALLOT, 3, Batch((command,)))


def test_small_messages_share_one_datagram_in_their_order() -> None:
    messages = [Prepare(BALLOT, 1), ACCEPTED, Accepted(BALLOT, 13)]
    source, target = acquainted("node1", "node2")
    (datagram,) = source.outgoing("node2", map(encode, messages))
    incoming = target.incoming(datagram)
    assert incoming is not None
    assert (incoming.source, incoming.messages, incoming.replies) == ("node1", messages, [])


def test_nothing_to_say_is_no_datagram() -> None:
    assert wire("node1").outgoing("node2", []) == []


@given(st.lists(st.integers(0, 3_000), max_size=40), st.sampled_from([1_024, 1_400, 9_000]))
@settings(max_examples=30)
def test_no_datagram_is_longer_than_allowed_and_everything_arrives(
    lengths: list[int], most: int
) -> None:
    source, target = acquainted("node1", "node2", most)
    messages = [accept_of(length) for length in dict.fromkeys(lengths)]
    datagrams = source.outgoing("node2", [encode(message) for message in messages])
    assert all(len(datagram) <= most for datagram in datagrams)
    assert sorted(map(repr, exchange(source, target, datagrams))) == sorted(map(repr, messages))


def test_a_datagram_is_filled_before_another_is_begun() -> None:
    encoded = [encode(ACCEPTED)] * 500
    datagrams = wire("node1").outgoing("node2", encoded)
    assert len(datagrams) == -(-sum(map(len, encoded)) // 1_321)


def test_the_longest_list_of_missing_parts_fits_the_shortest_datagram() -> None:
    names = "n" * 64, "m" * 64
    source, target = acquainted(*names, MIN_DATAGRAM)
    missing = Missing(bytes(16), tuple(range(8_000, 8_000 + MAX_WINDOW)))
    room = MIN_DATAGRAM - Sealer("billing", KEY, names[0]).overhead(names[1])
    assert len(array([encode_item(missing)])) <= room
    message = accept_of(1 << 20)
    assert exchange(source, target, source.outgoing(names[1], [encode(message)])) == [message]


def test_a_part_header_has_the_room_that_is_left_for_it() -> None:
    longest = Part(Shape(bytes(16), MAX_MESSAGE_BYTES, 65_400), 31, True, bytes(65_400))
    assert len(encode_item(longest)) - 65_400 <= 48


@pytest.mark.parametrize("length", [1_400, 100_000, 1 << 20])
def test_a_long_message_arrives_in_parts_beside_short_ones(length: int) -> None:
    source, target = acquainted("node1", "node2")
    message = accept_of(length)
    datagrams = source.outgoing("node2", [encode(ACCEPTED), encode(message)])
    assert all(len(datagram) <= 1_400 for datagram in datagrams)
    assert exchange(source, target, datagrams) == [ACCEPTED, message]
    assert target.statistics()["assembled"] == 1


def test_a_message_beyond_all_bounds_is_counted_and_the_rest_goes_out() -> None:
    source = wire("node1")
    datagrams = source.outgoing("node2", [bytes(MAX_MESSAGE_BYTES + 1), encode(ACCEPTED)])
    assert len(datagrams) == 1
    assert source.statistics()["too_long"] == 1


@given(st.binary(max_size=100))
def test_hostile_datagrams_yield_nothing(datagram: bytes) -> None:
    assert wire("node2").incoming(datagram) is None


@given(st.binary(max_size=100))
def test_authentic_frames_of_any_bytes_raise_nothing(frame: bytes) -> None:
    source, target = acquainted("node1", "node2")
    target.incoming(seal(source, target, frame))


hostile_items = st.lists(
    st.integers(-1, 40) | st.binary(max_size=20) | st.booleans() | st.lists(st.integers(0, 3)),
    max_size=8,
)


@given(st.lists(hostile_items, max_size=5))
def test_authentic_frames_of_any_items_raise_nothing(items: list[object]) -> None:
    source, target = acquainted("node1", "node2")
    incoming = target.incoming(seal(source, target, cbor2.dumps(items)))
    assert incoming is not None
    counts = target.statistics()
    assert counts["malformed_item"] + len(incoming.messages) <= len(items)


@pytest.mark.parametrize(
    "frame", [b"", b"\xff", b"\x04", b"\x80\x80", b"\xd9\xd9\xf7\x80"], ids=bytes.hex
)
def test_a_frame_that_is_no_array_is_counted(frame: bytes) -> None:
    source, target = acquainted("node1", "node2")
    assert target.incoming(seal(source, target, frame)) is None
    assert target.statistics()["malformed_frame"] == 1


def test_a_malformed_message_is_dropped_and_its_neighbours_are_not() -> None:
    source, target = acquainted("node1", "node2")
    frame = array([encode(ACCEPTED), cbor2.dumps([4, "?"]), b"\x00", encode(Prepare(BALLOT, 1))])
    incoming = target.incoming(seal(source, target, frame))
    assert incoming is not None
    assert incoming.messages == [ACCEPTED, Prepare(BALLOT, 1)]
    assert target.statistics()["malformed_item"] == 2


def test_a_frame_of_nothing_but_malformed_items_is_soon_given_up() -> None:
    source, target = acquainted("node1", "node2", 60_000)
    frame = array([b"\x00"] * 50_000 + [encode(ACCEPTED)])
    incoming = target.incoming(seal(source, target, frame))
    assert incoming is not None
    assert incoming.messages == []
    assert target.statistics()["malformed_item"] == MAX_MALFORMED


def test_a_whole_but_malformed_long_message_is_counted() -> None:
    source, target = acquainted("node1", "node2")
    assert exchange(source, target, source.outgoing("node2", [bytes(5_000)])) == []
    assert target.statistics()["malformed_message"] == 1


def test_what_another_source_sent_completes_nothing() -> None:
    message = encode(accept_of(3_000))
    one, target = acquainted("node1", "node2")
    other = wire("node3")
    acquaint(other, target)
    first = one.outgoing("node2", [message])[:2]
    second = other.outgoing("node2", [message])[2:]
    for datagram in first + second:
        incoming = target.incoming(datagram)
        assert incoming is not None
        assert incoming.messages == []


def test_each_refusal_is_counted_under_its_reason() -> None:
    source, target = acquainted("node1", "node2")
    datagram, another = (source.outgoing("node2", [encode(ACCEPTED)])[0] for _ in range(2))
    altered = another[:-1] + bytes((another[-1] ^ 1,))
    target.incoming(datagram)
    for refused in (datagram, datagram[:50], altered, b"GET / HTTP", b"P\x09" + datagram[2:]):
        assert target.incoming(refused) is None
    wire("node3").incoming(datagram)
    counts = target.statistics()
    reasons = ["replayed", "short", "unauthentic", "foreign", "version"]
    assert {reason: counts[reason] for reason in reasons} == dict.fromkeys(reasons, 1)


def test_every_counter_shows_from_the_beginning() -> None:
    source, target = acquainted("node1", "node2")
    names = set(target.statistics())
    exchange(source, target, source.outgoing("node2", [encode(accept_of(200_000))] * 2))
    target.incoming(b"")
    assert set(target.statistics()) == set(source.statistics()) == names


@pytest.mark.parametrize("most", [MIN_DATAGRAM - 1, MAX_DATAGRAM + 1])
def test_a_length_of_datagrams_out_of_bounds_is_refused(most: int) -> None:
    with pytest.raises(ValueError, match=f"not {most}"):
        wire("node1", most)
