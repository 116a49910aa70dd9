from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from paxos.wire import KeyRing, Reason, Rejection, Sealer
from paxos.wire.sealing import MAX_CLIENT_KEYS, MAX_MEMBER_KEYS

KEY = bytes(range(32))
BOOT = b"b" * 16


def sealer(
    name: str, cluster: str = "billing", key: bytes = KEY, boot: bytes | None = None
) -> Sealer:
    return Sealer(cluster, key, name, boot)


def opened(target: Sealer, datagram: bytes) -> tuple[str, bytes]:
    boot, _, plaintext = target.open(datagram)
    return boot.source, plaintext


def refusal(target: Sealer, datagram: bytes) -> Reason:
    with pytest.raises(Rejection) as rejection:
        target.open(datagram)
    return rejection.value.reason


@given(st.binary(max_size=300))
def test_what_was_sealed_is_opened_with_its_source(plaintext: bytes) -> None:
    datagram = sealer("node1").seal("node2", plaintext)
    assert opened(sealer("node2"), datagram) == ("node1", plaintext)


def test_the_plaintext_does_not_show() -> None:
    assert b"secret" not in sealer("node1").seal("node2", b"secret")


def test_the_overhead_is_as_announced() -> None:
    node = sealer("node1")
    assert len(node.seal("näher", b"1234")) == 4 + node.overhead("näher")


def test_tampering_with_any_bit_of_any_byte_is_noticed() -> None:
    datagram = sealer("node1").seal("node2", b"charge")
    receiver = sealer("node2")
    for at in range(len(datagram)):
        for bit in (1, 0x80):
            tampered = bytearray(datagram)
            tampered[at] ^= bit
            refusal(receiver, bytes(tampered))
    assert opened(receiver, datagram) == ("node1", b"charge")


def test_a_datagram_cut_short_anywhere_is_refused() -> None:
    datagram = sealer("node1").seal("node2", b"charge")
    receiver = sealer("node2")
    for length in range(len(datagram)):
        refusal(receiver, datagram[:length])
    assert refusal(receiver, datagram + b"\x00") is Reason.UNAUTHENTIC


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"P\x01" + tail))
def test_arbitrary_bytes_are_refused(datagram: bytes) -> None:
    refusal(sealer("node2"), datagram)


def test_each_refusal_has_its_reason() -> None:
    datagram = sealer("node1").seal("node2", b"charge")
    receiver = sealer("node2")
    assert refusal(receiver, b"") is Reason.SHORT
    assert refusal(receiver, datagram[:50]) is Reason.SHORT
    assert refusal(receiver, b"GET / HTTP/1.1") is Reason.FOREIGN
    assert refusal(receiver, b"P\x02" + datagram[2:]) is Reason.VERSION
    assert refusal(sealer("node3"), datagram) is Reason.TARGET
    assert refusal(receiver, datagram[:-1] + bytes((datagram[-1] ^ 1,))) is Reason.UNAUTHENTIC
    receiver.open(datagram)
    assert refusal(receiver, datagram) is Reason.REPLAYED


def test_a_source_that_is_no_text_is_refused() -> None:
    source = sealer("node1")
    source._name = b"\xff" * 5
    assert refusal(sealer("node2"), source.seal("node2", b"charge")) is Reason.FOREIGN


def test_another_cluster_opens_nothing() -> None:
    datagram = sealer("node1").seal("node2", b"charge")
    assert refusal(sealer("node2", cluster="other"), datagram) is Reason.UNAUTHENTIC


def test_another_key_opens_nothing() -> None:
    datagram = sealer("node1").seal("node2", b"charge")
    assert refusal(sealer("node2", key=bytes(32)), datagram) is Reason.KEY


def test_a_key_of_the_same_id_opens_nothing() -> None:
    datagram = sealer("node1").seal("node2", b"charge")
    thief = sealer("node2", key=bytes(32))
    pretended = datagram[:2] + thief._sealing + datagram[6:]
    assert refusal(thief, pretended) is Reason.UNAUTHENTIC


def test_an_invented_boot_costs_no_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = sealer("node1"), sealer("node2")
    datagram = source.seal("node2", b"charge")
    monkeypatch.setattr(target, "_cipher", None)  # so deriving would raise
    for at in range(18, 42):
        invented = bytearray(datagram)
        invented[at] ^= 1
        assert refusal(target, bytes(invented)) is Reason.UNAUTHENTIC


def test_altered_recordings_of_one_boot_cost_one_derivation() -> None:
    source, target = sealer("node1"), sealer("node2")
    derived = 0
    cipher = target._cipher

    def count(key: bytes, direction: bytes) -> AESGCM:
        nonlocal derived
        derived += 1
        return cipher(key, direction)

    target._cipher = count  # type: ignore[method-assign]
    for number in range(50):
        datagram = source.seal("node2", bytes([number]))
        assert refusal(target, datagram[:-1] + bytes((datagram[-1] ^ 1,))) is Reason.UNAUTHENTIC
    assert derived == 1


def test_each_key_of_a_ring_opens_and_the_first_seals() -> None:
    ring = KeyRing.fresh().add()
    both = Sealer("billing", ring, "node2")
    for key in ring.keys:
        alone = sealer("node1", key=key)
        assert opened(both, alone.seal("node2", b"charge")) == ("node1", b"charge")
    assert opened(sealer("node1", key=ring.keys[0]), both.seal("node1", b"")) == ("node2", b"")
    assert refusal(sealer("node1", key=ring.keys[1]), both.seal("node1", b"")) is Reason.KEY


def test_an_exchange_of_keys_forgets_neither_boots_nor_what_was_opened() -> None:
    old = KeyRing.fresh()
    ring = old.add()
    source, target = Sealer("billing", old, "node1"), Sealer("billing", ring, "node2")
    first = source.seal("node2", b"1")
    boot, _, _ = target.open(first)
    boot.confirmed = True
    target.boots._peer("node1").current = boot
    source.rekey(ring.use(ring.ids[1]))
    second = source.seal("node2", b"2")
    assert target.open(second) == (boot, 1, b"2")
    target.rekey(ring)
    assert refusal(target, first) is refusal(target, second) is Reason.REPLAYED
    target.rekey(KeyRing(ring.keys[1:]))
    assert refusal(target, first) is Reason.KEY
    assert target.open(source.seal("node2", b"3")) == (boot, 2, b"3")


def test_another_source_cannot_be_pretended() -> None:
    datagram = sealer("node1").seal("node2", b"charge")
    pretended = datagram.replace(b"node1", b"node3")
    assert refusal(sealer("node2"), pretended) is Reason.UNAUTHENTIC


def test_another_target_cannot_be_pretended() -> None:
    datagram = sealer("node1").seal("node2", b"charge")
    redirected = datagram.replace(b"node2", b"node3")
    assert refusal(sealer("node3"), redirected) is Reason.UNAUTHENTIC


def test_a_reflected_datagram_is_refused() -> None:
    node = sealer("node1")
    datagram = node.seal("node2", b"charge")
    assert refusal(node, datagram) is Reason.TARGET
    swapped = datagram.replace(b"node1node2", b"node2node1")
    assert refusal(node, swapped) is Reason.UNAUTHENTIC


def keystream(source: Sealer, target: str) -> bytes:
    """Return what a key and nonce make of zeros, without the authentication."""
    return source.seal(target, bytes(32))[-48:-16]


def test_one_key_and_nonce_make_one_keystream() -> None:
    assert keystream(sealer("node1", boot=BOOT), "node2") == keystream(
        sealer("node1", boot=BOOT), "node2"
    )


def test_two_boots_never_share_a_key() -> None:
    assert keystream(sealer("node1"), "node2") != keystream(sealer("node1"), "node2")


def test_two_directions_never_share_a_key() -> None:
    keystreams = [
        keystream(sealer(source, boot=BOOT), target)
        for source in ("node1", "node2", "node3")
        for target in ("node1", "node2", "node3")
    ]
    assert len(set(keystreams)) == 9


def test_two_clusters_with_one_key_never_share_a_key() -> None:
    clusters = [sealer("node1", cluster=name, boot=BOOT) for name in ("billing", "shipping")]
    assert len({keystream(source, "node2") for source in clusters}) == 2


def test_a_boot_cannot_be_pretended() -> None:
    first, second = (sealer("node1").seal("node2", b"charge") for _ in range(2))
    pretended = second.replace(second[18:34], first[18:34])
    assert refusal(sealer("node2"), pretended) is Reason.UNAUTHENTIC


def test_no_nonce_is_used_twice_even_for_a_target_that_was_forgotten() -> None:
    node = sealer("node1", boot=BOOT)
    nonces = set()
    for number in range(MAX_MEMBER_KEYS + 10):
        nonces.add(node.seal(f"other{number}", b"")[-24:-16])
        nonces.add(node.seal("node2", b"")[-24:-16])
    assert len(nonces) == 2 * (MAX_MEMBER_KEYS + 10)


def test_datagrams_may_overtake_one_another() -> None:
    source, target = sealer("node1"), sealer("node2")
    datagrams = [source.seal("node2", bytes([n])) for n in range(100)]
    numbers = [opened(target, datagram)[1][0] for datagram in reversed(datagrams)]
    assert numbers == list(reversed(range(100)))


def test_a_restarted_source_is_authentic_at_once_and_its_old_datagrams_stay_used() -> None:
    target = sealer("node2")
    old = sealer("node1").seal("node2", b"old")
    target.open(old)
    assert opened(target, sealer("node1").seal("node2", b"new")) == ("node1", b"new")
    assert refusal(target, old) is Reason.REPLAYED


def test_invented_boots_leave_no_trace_and_displace_nobody() -> None:
    source, target = sealer("node1"), sealer("node2")
    first = source.seal("node2", b"first")
    target.open(first)
    for number in range(MAX_MEMBER_KEYS + 1):
        invented = first[:18] + number.to_bytes(16, "big") + first[34:]
        assert refusal(target, invented) is Reason.UNAUTHENTIC
    assert refusal(target, first) is Reason.REPLAYED


def test_a_crowd_of_clients_displaces_no_member_and_is_bounded() -> None:
    source, target = sealer("node1"), sealer("node2")
    first = source.seal("node2", b"first")
    target.open(first)
    for number in range(MAX_CLIENT_KEYS + 10):
        client = sealer(f"client-{number:016x}")
        assert opened(target, client.seal("node2", b"")) == (f"client-{number:016x}", b"")
        target.seal(f"client-{number:016x}", b"")
    assert refusal(target, first) is Reason.REPLAYED
    assert len(target._from_clients) == len(target._to_clients) == MAX_CLIENT_KEYS


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        sealer("node1", key=bytes(31))


@pytest.mark.parametrize("name", ["", "n" * 65])
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        sealer(name)
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        sealer("node1").seal(name, b"")
