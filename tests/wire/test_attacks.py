"""Known attacks on CBOR and its decoders, as raw bytes: refused at once, for next to nothing."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import cbor2
import pytest

from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accepted
from paxos.wire import Malformed, decode, encode
from paxos.wire.cbor import MAX_DEPTH, array, parse
from tests.wire.links import acquainted, seal

MAX_ALLOCATED = 1 << 18
"""What refusing may allocate, in bytes; none of the attacks is itself longer than a fifth."""

MAX_SECONDS = 0.05
"""What refusing may take on a machine that is busy with other things; it takes microseconds."""

GOOD = encode(Accepted(Ballot(7, "node1"), 12))


def colliding_keys(count: int = 2_000) -> bytes:
    """A map whose keys have one hash: a decoder compares each with all before it.

    The keys are pairs of integers. What Python makes of a pair's two hashes can be undone, so for
    any first integer a second one is found that leads to the same result.
    """
    one, two, five, size = 11400714785074694791, 14029467366897019727, 2870177450012600261, 1 << 64
    keys: list[tuple[int, int]] = []
    first = 0
    while len(keys) < count:
        first += 1
        mixed = (five + first * two) % size
        mixed = ((mixed << 31 | mixed >> 33) * one) % size
        second = -mixed * pow(two, -1, size) % size
        if second < (1 << 61) - 1:  # else it would not be its own hash
            keys.append((first, second))
    assert len({hash(key) for key in keys}) == 1
    return b"\xb9" + count.to_bytes(2, "big") + b"".join(cbor2.dumps(key) + b"\x00" for key in keys)


ATTACKS = {
    "deeper than any message": b"\x81" * MAX_DEPTH + b"\x81\x00",
    "so deep that a recursive decoder overflows its stack": b"\x81" * 20_000,
    "deep maps": b"\xa1\x00" * 10_000,
    "deep tags": b"\xc6" * 20_000 + b"\x00",
    "a declared array of 2**32 items": b"\x9a\xff\xff\xff\xff",
    "a declared array of 2**64 items": b"\x9b" + b"\xff" * 8,
    "a declared string of 2**62 bytes": b"\x5b\x3f" + b"\xff" * 7,
    "a declared text of 2**31 characters": b"\x7a\x7f\xff\xff\xff",
    "a declared map of 2**32 entries": b"\xba\xff\xff\xff\xff",
    "many declared arrays in one another": b"\x9b\x7f" + b"\xff" * 7 + b"\x9b\x7f" + b"\xff" * 7,
    "an array of indefinite length": b"\x9f\x00\xff",
    "an array that never ends": b"\x9f" + b"\x00" * 20_000,
    "a string of indefinite length": b"\x5f\x41a\xff",
    "a text of indefinite length": b"\x7f\x61a\xff",
    "a map of indefinite length": b"\xbf\x00\x00\xff",
    "a break by itself": b"\xff",
    "an empty map": b"\xa0",
    "a map": b"\xa1\x61a\x00",
    "duplicate keys": b"\xa2\x61a\x00\x61a\x01",
    "colliding keys": colliding_keys(),
    "a shared value that contains itself, tags 28 and 29": b"\xd8\x1c\x81\xd8\x1d\x00",
    "a reference to a shared value that is not there, tag 29": b"\xd8\x1d\x19\xff\xff",
    "a regular expression that never ends, tag 35": b"\xd8\x23\x6d(a+)+(a+)+(a+",
    "a mail message, tag 36": b"\xd8\x24\x64a: b",
    "a big number, tag 2": b"\xc2\x5a\x00\x00\x40\x00" + b"\xff" * 0x4000,
    "a negative big number, tag 3": b"\xc3\x41\x01",
    "a decimal with a huge exponent, tag 4": b"\xc4\x82\x1b\x7f" + b"\xff" * 7 + b"\x01",
    "a fraction of big numbers, tag 30": b"\xd8\x1e\x82\x01\x00",
    "a bigfloat with a huge exponent, tag 5": b"\xc5\x82\x1b\x7f" + b"\xff" * 7 + b"\x01",
    "a date out of range, tag 1": b"\xc1\x1b\x7f" + b"\xff" * 7,
    "a date as text, tag 0": b"\xc0\x60",
    "a set of colliding elements, tag 258": b"\xd9\x01\x02" + array([b"\x00"] * 1_000),
    "string references, tag 256": b"\xd9\x01\x00\x82\x63abc\xd8\x19\x00",
    "an address, tag 260": b"\xd9\x01\x04\x44\x00\x00\x00\x00",
    "the tag that means nothing, 55799": b"\xd9\xd9\xf7" + GOOD,
    "an unknown tag": b"\xda\xff\xff\xff\xff\x00",
    "one byte too many": GOOD + b"\x00",
    "a second item": GOOD + GOOD,
    "one byte too few": GOOD[:-1],
    "nothing": b"",
    "a small integer in two bytes": b"\x83\x18\x04\x82\x07\x65node1\x0c",
    "a small integer in nine bytes": b"\x83\x04\x82\x1b" + bytes(7) + b"\x07\x65node1\x0c",
    "a negative integer in two bytes": b"\x38\x00",
    "a short text with a long length": b"\x83\x04\x82\x07\x78\x05node1\x0c",
    "a short array with a long length": b"\x98\x03\x04\x82\x07\x65node1\x0c",
}
"""Refused by the strict subset, whatever the message."""

IN_FIELDS = {
    "a boolean for an integer": b"\x83\x04\x82\xf5\x65node1\x0c",
    "a boolean for the kind": b"\x83\xf5\x82\x07\x65node1\x0c",
    "a float for an integer": b"\x83\x04\x82\xfb\x40\x1c" + bytes(6) + b"\x65node1\x0c",
    "half a float": b"\x83\x04\x82\xf9\x47\x00\x65node1\x0c",
    "not a number": b"\x83\x04\x82\xf9\x7e\x00\x65node1\x0c",
    "infinity": b"\x83\x04\x82\xf9\x7c\x00\x65node1\x0c",
    "undefined": b"\x83\x04\x82\xf7\x65node1\x0c",
    "null for an integer": b"\x83\x04\x82\xf6\x65node1\x0c",
    "a simple value": b"\x83\x04\x82\xf0\x65node1\x0c",
    "a simple value in two bytes": b"\x83\x04\x82\xf8\x20\x65node1\x0c",
    "a simple value of the reserved kind": b"\xf8\x18",
    "a negative number for a ballot": b"\x83\x04\x82\x26\x65node1\x0c",
    "a number beyond 63 bits": b"\x83\x04\x82\x1b" + b"\xff" * 8 + b"\x65node1\x0c",
    "bytes for text": b"\x83\x04\x82\x07\x45node1\x0c",
    "text that is not UTF-8": b"\x83\x04\x82\x07\x65\xff\xff\xff\xff\xff\x0c",
    "half a surrogate": b"\x83\x04\x82\x07\x63\xed\xa0\x80\x0c",
    "text with an overlong form": b"\x83\x04\x82\x07\x62\xc0\xaf\x0c",
    "a reserved length": b"\x1c",
    "an array for a name": b"\x83\x04\x82\x07\x80\x0c",
}


BOTH = ATTACKS | IN_FIELDS


def test_what_the_attacks_depart_from_is_accepted() -> None:
    assert decode(GOOD) == Accepted(Ballot(7, "node1"), 12)
    assert GOOD == b"\x83\x04\x82\x07\x65node1\x0c"


def refuse(read: Callable[[bytes], object], attack: bytes) -> None:
    """See it refused, in no time and with no memory."""
    assert len(attack) <= MAX_ALLOCATED / 5
    tracemalloc.start()
    try:
        start = time.thread_time()
        with pytest.raises(Malformed):
            read(attack)
        elapsed = time.thread_time() - start
        _, allocated = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert allocated <= MAX_ALLOCATED
    assert elapsed < MAX_SECONDS


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_on_the_decoder_is_refused_at_once_and_costs_next_to_nothing(
    attack: bytes,
) -> None:
    refuse(parse, attack)


@pytest.mark.parametrize("attack", IN_FIELDS.values(), ids=IN_FIELDS)
def test_an_attack_on_a_field_is_refused_at_once_and_costs_next_to_nothing(attack: bytes) -> None:
    refuse(decode, attack)


@pytest.mark.parametrize("attack", BOTH.values(), ids=BOTH)
def test_an_attack_in_an_authentic_datagram_is_counted_and_harms_no_neighbour(
    attack: bytes,
) -> None:
    source, target = acquainted("node1", "node2", 60_000)
    incoming = target.incoming(seal(source, target, array([attack, GOOD])))
    counts = target.statistics()
    if incoming is None:
        assert counts["malformed_frame"] == 1
    else:
        assert counts["malformed_item"] >= 1
        assert all(message == Accepted(Ballot(7, "node1"), 12) for message in incoming.messages)
    last = target.incoming(seal(source, target, array([GOOD])))
    assert last is not None
    assert len(last.messages) == 1


def test_one_meaning_has_one_spelling() -> None:
    for item in (
        0,
        23,
        24,
        255,
        256,
        65_535,
        65_536,
        -1,
        "a" * 30,
        b"b" * 300,
        [1] * 30,
        True,
        None,
    ):
        assert parse(cbor2.dumps(item)) == (tuple(item) if isinstance(item, list) else item)
