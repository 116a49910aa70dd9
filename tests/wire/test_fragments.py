from __future__ import annotations

from collections import Counter
from itertools import count
from random import Random

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxos.wire import MAX_MESSAGE_BYTES, Malformed
from paxos.wire.cbor import kind_of
from paxos.wire.fragments import MAX_BYTES_PER_PEER, MAX_MESSAGES_PER_PEER, Inbox, Outbox, digest_of
from paxos.wire.parts import ITEM_KINDS, Item, Missing, Offer, Part, Shape, encode_item, read_item

SIZE = 1_300
MIB = 1 << 20


class Pair:
    """An outbox, an inbox, and a link between them that misbehaves."""

    def __init__(self, seed: int = 0, loss: float = 0, chaos: bool = False) -> None:
        self.random = Random(seed)
        self.loss = loss
        self.chaos = chaos
        self.counts: Counter[str] = Counter()
        self.outbox = Outbox(self.counts)
        self.inbox = Inbox(self.counts)
        self.received: list[bytes] = []
        self.carried = 0

    def send(self, message: bytes) -> None:
        """Send once, as the protocol does at each of its retransmissions, until all is quiet."""
        flights = list(self.outbox.send(message, SIZE))
        while flights:
            answers = [answer for item in self._travel(flights) for answer in self._take(item)]
            flights = [
                item
                for missing in self._travel(answers)
                if isinstance(missing, Missing)
                for item in self.outbox.on_missing(missing)
            ]

    def _travel(self, items: list[Item]) -> list[Item]:
        self.carried += len(items)
        arrived = [item for item in items if self.random.random() >= self.loss]
        if self.chaos:
            arrived += [item for item in arrived if self.random.random() < 0.1]
            self.random.shuffle(arrived)
        return arrived

    def _take(self, item: Item) -> list[Item]:
        if isinstance(item, Part):
            message, missing = self.inbox.on_part(item)
        else:
            assert isinstance(item, Offer)
            message, missing = self.inbox.on_offer(item)
        if message is not None:
            self.received.append(message)
        return [] if missing is None else [missing]


def retransmissions_until_arrival(pair: Pair, message: bytes, most: int) -> int:
    for sends in range(most):
        pair.send(message)
        if pair.received:
            assert set(pair.received) == {message}
            return sends
    raise AssertionError(f"not arrived after {most} sends")


def test_without_loss_one_send_suffices_and_no_part_travels_twice() -> None:
    pair, message = Pair(), Random(1).randbytes(MIB)
    pair.send(message)
    assert pair.received == [message]
    assert pair.counts == {"assembled": 1}
    assert pair.carried < 1.02 * MIB / SIZE


@pytest.mark.parametrize("seed", range(10))
def test_a_mebibyte_arrives_over_a_lossy_link_within_a_few_retransmissions(seed: int) -> None:
    pair, message = Pair(seed, loss=0.05), Random(seed).randbytes(MIB)
    assert retransmissions_until_arrival(pair, message, 8) <= 7
    assert pair.carried < 1.3 * MIB / SIZE


@pytest.mark.parametrize("seed", range(5))
def test_a_mebibyte_arrives_through_loss_duplication_and_reordering(seed: int) -> None:
    pair, message = Pair(seed, loss=0.05, chaos=True), Random(seed).randbytes(MIB)
    retransmissions_until_arrival(pair, message, 8)


@given(st.integers(SIZE + 1, 40 * SIZE), st.integers(0, 2**32), st.floats(0, 0.5))
def test_every_length_arrives_in_the_end(length: int, seed: int, loss: float) -> None:
    pair, message = Pair(seed, loss, chaos=True), Random(seed).randbytes(length)
    retransmissions_until_arrival(pair, message, 200)


def test_a_message_sent_again_is_handed_on_again_but_does_not_travel_again() -> None:
    pair, message = Pair(), bytes(20 * SIZE)
    pair.send(message)
    carried = pair.carried
    pair.send(message)
    assert pair.received == [message, message]
    assert pair.carried == carried + 1
    assert pair.counts["offered"] == 1


def test_two_messages_at_once_do_not_mix() -> None:
    pair = Pair()
    first, second = bytes(5 * SIZE), b"\x01" * (5 * SIZE)
    parts = list(pair.outbox.send(first, SIZE)) + list(pair.outbox.send(second, SIZE))
    Random(3).shuffle(parts)
    for part in parts:
        pair._take(part)
    assert sorted(pair.received) == [first, second]


def test_nothing_is_handed_on_before_the_last_part() -> None:
    pair = Pair()
    *but_one, last = pair.outbox.send(bytes(9 * SIZE), SIZE)
    for part in but_one:
        assert pair._take(part) == []
    assert pair.received == []
    pair._take(last)
    assert len(pair.received) == 1


def test_the_last_part_of_a_burst_with_a_hole_asks_for_the_hole() -> None:
    pair = Pair()
    parts = list(pair.outbox.send(bytes(9 * SIZE), SIZE))
    del parts[4], parts[1]
    answers = [answer for part in parts for answer in pair._take(part)]
    assert answers == [Missing(digest_of(bytes(9 * SIZE)), (1, 4))]


def test_what_is_asked_for_is_at_most_one_burst() -> None:
    shape = Shape(bytes(16), MAX_MESSAGE_BYTES, 256)
    _, missing = Inbox(Counter()).on_offer(Offer(shape))
    assert missing is not None
    assert missing.indices == tuple(range(128))


def test_a_message_that_does_not_match_its_digest_is_dropped_and_counted() -> None:
    pair = Pair()
    first, *others = pair.outbox.send(bytes(5 * SIZE), SIZE)
    assert isinstance(first, Part)
    forged = Part(first.shape, 0, False, b"\x01" * SIZE)
    for part in (forged, *others):
        pair._take(part)
    assert pair.received == []
    assert pair.counts == {"digest_wrong": 1}
    pair.send(bytes(5 * SIZE))
    assert pair.received == [bytes(5 * SIZE)]


def test_a_part_of_something_else_never_replaces_a_part_that_is_there() -> None:
    pair = Pair()
    parts = list(pair.outbox.send(bytes(5 * SIZE), SIZE))
    for part in parts[:-1]:
        pair._take(part)
    first = parts[0]
    assert isinstance(first, Part)
    pair._take(Part(first.shape, 0, False, b"\x01" * SIZE))
    pair._take(parts[-1])
    assert pair.received == [bytes(5 * SIZE)]
    assert pair.counts["parts_again"] == 1


def test_a_missing_list_for_something_unknown_is_counted() -> None:
    pair = Pair()
    assert list(pair.outbox.on_missing(Missing(bytes(16), (0,)))) == []
    part = next(pair.outbox.send(bytes(5 * SIZE), SIZE))
    assert isinstance(part, Part)
    assert list(pair.outbox.on_missing(Missing(part.shape.digest, (5,)))) == []
    assert pair.counts["missing_unknown"] == 2


def test_a_missing_list_that_repeats_itself_is_answered_once() -> None:
    pair = Pair()
    part = next(pair.outbox.send(bytes(5 * SIZE), SIZE))
    assert isinstance(part, Part)
    answers = list(pair.outbox.on_missing(Missing(part.shape.digest, (3,) * 100)))
    assert [one.index for one in answers if isinstance(one, Part)] == [3]


def test_the_memory_of_an_inbox_is_bounded_in_bytes() -> None:
    counts: Counter[str] = Counter()
    inbox = Inbox(counts)
    for number in range(20):
        inbox.on_offer(Offer(Shape(number.to_bytes(16, "big"), MAX_MESSAGE_BYTES, SIZE)))
    kept = MAX_BYTES_PER_PEER // MAX_MESSAGE_BYTES
    assert inbox._bytes == kept * MAX_MESSAGE_BYTES
    assert counts["transfers_dropped"] == 20 - kept


def test_the_memory_of_an_inbox_is_bounded_in_messages() -> None:
    counts: Counter[str] = Counter()
    inbox = Inbox(counts)
    for number in range(MAX_MESSAGES_PER_PEER + 7):
        inbox.on_offer(Offer(Shape(number.to_bytes(16, "big"), SIZE + 1, SIZE)))
    assert len(inbox._arriving) == MAX_MESSAGES_PER_PEER
    assert counts["transfers_dropped"] == 7


def test_a_message_that_arrived_makes_room_before_one_that_still_arrives() -> None:
    pair = Pair()
    waiting = list(pair.outbox.send(bytes(5 * SIZE), SIZE))
    for part in waiting[:-1]:
        pair._take(part)
    for number in range(20):
        pair.send(Random(number).randbytes(MIB))
    pair._take(waiting[-1])
    assert pair.received[-1] == bytes(5 * SIZE)
    assert pair.counts["transfers_dropped"] == 0


def test_the_memory_of_an_outbox_is_bounded_and_starts_over_where_it_forgot() -> None:
    pair = Pair()
    forgotten = Random(99).randbytes(MIB)
    list(pair.outbox.send(forgotten, SIZE))
    for number in range(20):
        list(pair.outbox.send(Random(number).randbytes(MIB), SIZE))
    assert pair.outbox._bytes <= MAX_BYTES_PER_PEER
    assert len(list(pair.outbox.send(forgotten, SIZE))) > 1


def test_a_message_that_is_too_long_is_not_sent_and_counted() -> None:
    pair = Pair()
    assert list(pair.outbox.send(bytes(MAX_MESSAGE_BYTES + 1), SIZE)) == []
    assert pair.counts == {"too_long": 1}


SHAPE = Shape(b"d" * 16, 3_000, 1_300)


@pytest.mark.parametrize(
    "item",
    [Part(SHAPE, 2, True, bytes(400)), Offer(SHAPE), Missing(SHAPE.digest, (0, 2))],
)
def test_every_item_comes_back_as_it_was(item: Item) -> None:
    parsed = cbor2.loads(encode_item(item), immutable=True)
    assert kind_of(parsed) in ITEM_KINDS
    assert read_item(parsed) == item


@pytest.mark.parametrize(
    "parsed",
    [
        (32, b"d" * 16, 3_000, 1_300, 2, True, bytes(401)),
        (32, b"d" * 16, 3_000, 1_300, 3, True, b""),
        (32, b"d" * 16, 3_000, 1_300, -1, True, bytes(1_300)),
        (32, b"d" * 16, 3_000, 1_300, 0, 1, bytes(1_300)),
        (32, b"d" * 16, 3_000, 1_300, False, True, bytes(1_300)),
        (32, b"d" * 16, 3_000, 1_300, 0, True, "t" * 1_300),
        (32,),
        (33, b"d" * 15, 3_000, 1_300),
        (33, b"d" * 16, MAX_MESSAGE_BYTES + 1, 1_300),
        (33, b"d" * 16, 3_000, 255),
        (33, b"d" * 16, 3_000, 0),
        (33, b"d" * 16, 3_000, 3_000),
        (34, b"d" * 16, ()),
        (34, b"d" * 16, (0,) * 129),
        (34, b"d" * 16, (True,)),
        (34, b"d" * 16, (8192,)),
        (34, b"d" * 16, 3),
    ],
)
def test_an_item_that_is_not_as_written_is_malformed(parsed: object) -> None:
    assert kind_of(parsed) in ITEM_KINDS
    with pytest.raises(Malformed):
        read_item(parsed)


def test_windows_are_about_128_kibibytes() -> None:
    for size in (256, 1_300, 60_000):
        shape = Shape(bytes(16), MIB, size)
        assert shape.window == next(n for n in count(1) if n == 128 or (n + 1) * size > 128 << 10)
