from __future__ import annotations

import pytest

from paxos.wire import KeyRing
from paxos.wire.keys import MAX_KEYS, derive

KEY = bytes(range(32))


def test_a_new_key_opens_only_until_it_is_used() -> None:
    ring = KeyRing.fresh()
    grown = ring.add()
    assert grown.keys[0] == ring.keys[0]
    used = grown.use(grown.ids[1])
    assert used.ids == (grown.ids[1], grown.ids[0])
    assert used.remove(grown.ids[0]).keys == (grown.keys[1],)


def test_a_key_that_is_not_there_is_not_found() -> None:
    with pytest.raises(KeyError):
        KeyRing.fresh().use("00000000")
    with pytest.raises(KeyError):
        KeyRing.fresh().remove("00000000")


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ((), "1 to 8 keys, not 0"),
        ((bytes(31),), "32 bytes, not 31"),
        ((KEY, KEY), "twice"),
        (tuple(bytes((n,)) * 32 for n in range(MAX_KEYS + 1)), "not 9"),
    ],
)
def test_a_ring_that_cannot_be_is_refused_without_showing_it(
    keys: tuple[bytes, ...], text: str
) -> None:
    with pytest.raises(ValueError, match=text) as refused:
        KeyRing(keys)
    assert KEY.hex() not in str(refused.value)


def test_a_ring_shows_its_ids_and_no_key() -> None:
    ring = KeyRing((KEY,)).add()
    assert all(name in repr(ring) for name in ring.ids)
    for key in ring.keys:
        assert key.hex() not in repr(ring)
        assert repr(key) not in repr(ring)


def test_keys_for_two_purposes_differ() -> None:
    assert derive(KEY, b"paxos datagram") != derive(KEY, b"paxos mark")
