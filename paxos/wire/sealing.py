"""Sealed datagrams: only holders of the cluster's key can write, read or repeat one.

A datagram on the wire::

    magic  version  key  len(source)  len(target)  source  target  boot  mark  counter  sealed
    1 byte 1 byte   4    1 byte       1 byte       1..64   1..64   16    8     8        AES-256-GCM

Everything before ``sealed``, and the cluster's name, is its associated data. Each direction has a
key of its own, derived from the cluster's key and the names of that key, cluster, source and target
and the source's boot, which is new whenever it starts. The nonce is a counter that rises with
every datagram a source seals for anyone. So a nonce never meets the same key twice, neither after
a restart nor when a key was forgotten and derived again, and a datagram that is sent back to its
source, or on to another node, opens nowhere.

The mark proves to a holder of the cluster's key that another one wrote this header up to there. It
is cheap to check, so whoever invents boots makes nobody derive keys.

A receiver drops what it has opened before. That memory ends with its process: `paxos.wire.boots`
is why an older datagram is not believed even so.
"""

from __future__ import annotations

from enum import Enum
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from paxos.replicated.values import CLIENT_PREFIX
from paxos.wire.boots import BOOT_BYTES, Boot, Boots, new_boot
from paxos.wire.keys import KEY_ID_BYTES, KeyRing, derive, key_id
from paxos.wire.recent import Recent

VERSION: Final = 1
"""The version of this format and of the messages inside; it must be equal at both ends."""

MAX_NAME_BYTES: Final = 64

MAX_MEMBER_KEYS: Final = 256
"""How many keys to or from members are remembered; one for each boot of each."""

MAX_CLIENT_KEYS: Final = 1024
"""The same for clients, apart, so that a crowd of clients never displaces a member."""

MARK_BYTES: Final = 8
COUNTER_BYTES: Final = 8
TAG_BYTES: Final = 16

_PURPOSE: Final = b"paxos datagram"
_MARK_PURPOSE: Final = b"paxos mark"
_START: Final = bytes((0x50, VERSION))
_KEY_END: Final = len(_START) + KEY_ID_BYTES
_LENGTHS_END: Final = _KEY_END + 2
_CLIENT_PREFIX: Final = CLIENT_PREFIX.encode()
_NONCE_START: Final = bytes(12 - COUNTER_BYTES)


class Reason(Enum):
    """Why a datagram was not opened."""

    SHORT = "short"
    """Shorter than its header says."""
    FOREIGN = "foreign"
    """Nothing like ours."""
    VERSION = "version"
    """Ours, in another version."""
    TARGET = "wrong_target"
    """Ours, for another node."""
    KEY = "unknown_key"
    """Sealed with a key that is not in the ring."""
    UNAUTHENTIC = "unauthentic"
    """Not sealed with this cluster's key for this header, or altered on the way."""
    REPLAYED = "replayed"
    """Opened before, or so late that nobody can tell."""


class Rejection(Exception):  # noqa: N818  nothing went wrong here: a hostile network is normal
    """A datagram was not opened."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@frozen
class _Outbound:
    """What it takes to seal for one target."""

    cipher: AESGCM
    direction: bytes
    """All of the header but the counter."""


@frozen
class _Inbound:
    """What it takes to open the datagrams of one boot of one source, sealed with one key."""

    cipher: AESGCM
    boot: Boot


class Sealer:
    """Seals datagrams in the name of one node or client, and opens those meant for it.

    ``cluster`` is the cluster's name, ``keys`` its secret, or a ring of several, ``name`` one's own
    name; ``boot`` is new unless a test gives it. Raises ValueError for a key or boot of a wrong
    length, and for names that are not 1 to 64 bytes of UTF-8.
    """

    def __init__(
        self, cluster: str, keys: KeyRing | bytes, name: str, boot: bytes | None = None
    ) -> None:
        self.boot = new_boot() if boot is None else boot
        if len(self.boot) != BOOT_BYTES:
            raise ValueError(f"a boot has {BOOT_BYTES} bytes, not {len(self.boot)}")
        self.boots = Boots()
        self._name = _encode_name(name)
        cluster_name = cluster.encode()
        self._cluster = len(cluster_name).to_bytes(2, "big") + cluster_name
        self._counter = 0
        """Of the next datagram: one for all targets, so no forgotten key can see one again."""
        self.rekey(KeyRing.of(keys))

    def rekey(self, ring: KeyRing) -> None:
        """Seal and open with another ring from now on. Boots and counters go on as they were."""
        self.ring = ring
        self._keys = {key_id(key): key for key in ring.keys}
        self._mark_keys = {
            known: derive(key, _MARK_PURPOSE + self._cluster) for known, key in self._keys.items()
        }
        self._sealing = key_id(ring.keys[0])
        self._to_members: Recent[str, _Outbound] = Recent(MAX_MEMBER_KEYS)
        self._to_clients: Recent[str, _Outbound] = Recent(MAX_CLIENT_KEYS)
        self._from_members: Recent[bytes, _Inbound] = Recent(MAX_MEMBER_KEYS)
        self._from_clients: Recent[bytes, _Inbound] = Recent(MAX_CLIENT_KEYS)

    def overhead(self, target: str) -> int:
        """Return how many bytes longer a sealed datagram is than its plaintext."""
        lengths = len(self._name) + len(target.encode())
        return _LENGTHS_END + lengths + BOOT_BYTES + MARK_BYTES + COUNTER_BYTES + TAG_BYTES

    def seal(self, target: str, plaintext: bytes) -> bytes:
        """Return the datagram that only ``target`` can open."""
        known = self._to_clients if target.startswith(CLIENT_PREFIX) else self._to_members
        outbound = known.get(target)
        if outbound is None:
            outbound = self._outbound(target)
            known.put(target, outbound)
        counter = self._counter.to_bytes(COUNTER_BYTES, "big")
        self._counter += 1
        header = outbound.direction + counter
        nonce = _NONCE_START + counter
        return header + outbound.cipher.encrypt(nonce, plaintext, self._cluster + header)

    def open(self, datagram: bytes) -> tuple[Boot, int, bytes]:
        """Return who sealed a datagram that was never opened before, its number and plaintext.

        That is authentic; whether it is also of today, `Boot.confirmed` tells. Raises `Rejection`.
        """
        direction_end = _direction_end(datagram)
        header_end = direction_end + COUNTER_BYTES
        if len(datagram) < header_end + TAG_BYTES:
            raise Rejection(Reason.SHORT)
        direction = datagram[:direction_end]
        from_client = direction.startswith(_CLIENT_PREFIX, _LENGTHS_END)
        known = self._from_clients if from_client else self._from_members
        inbound = known.get(direction)
        if inbound is None:
            inbound = self._inbound(direction)
            # The mark is right, so nobody can invent what displaces live peers here.
            known.put(direction, inbound)
        window = inbound.boot.window
        header = datagram[:header_end]
        counter = header[direction_end:]
        number = int.from_bytes(counter, "big")
        if not window.is_new(number):
            raise Rejection(Reason.REPLAYED)
        nonce = _NONCE_START + counter
        sealed = datagram[header_end:]
        try:
            plaintext = inbound.cipher.decrypt(nonce, sealed, self._cluster + header)
        except InvalidTag:
            raise Rejection(Reason.UNAUTHENTIC) from None
        window.add(number)
        return inbound.boot, number, plaintext

    def _outbound(self, target: str) -> _Outbound:
        target_name = _encode_name(target)
        lengths = bytes((len(self._name), len(target_name)))
        direction = _START + self._sealing + lengths + self._name + target_name + self.boot
        direction += self._mark(self._sealing, direction)
        return _Outbound(self._cipher(self._sealing, direction), direction)

    def _inbound(self, direction: bytes) -> _Inbound:
        """Read the direction of a datagram from a source, or a boot of it, that is not known."""
        source_end = _LENGTHS_END + direction[_KEY_END]
        target_end = source_end + direction[_KEY_END + 1]
        if direction[source_end:target_end] != self._name:
            raise Rejection(Reason.TARGET)
        key = direction[len(_START) : _KEY_END]
        if key not in self._keys:
            raise Rejection(Reason.KEY)
        mark_start = target_end + BOOT_BYTES
        if not compare_digest(direction[mark_start:], self._mark(key, direction[:mark_start])):
            raise Rejection(Reason.UNAUTHENTIC)
        try:
            source = direction[_LENGTHS_END:source_end].decode()
            _encode_name(source)
        except ValueError:
            raise Rejection(Reason.FOREIGN) from None
        boot_id = direction[target_end:mark_start]
        return _Inbound(self._cipher(key, direction), self.boots.meet(source, boot_id))

    def _mark(self, key: bytes, unmarked: bytes) -> bytes:
        return blake2b(unmarked, key=self._mark_keys[key], digest_size=MARK_BYTES).digest()

    def _cipher(self, key: bytes, direction: bytes) -> AESGCM:
        """Derive the key of one direction: version, source, target and boot, and the cluster."""
        return AESGCM(derive(self._keys[key], _PURPOSE + self._cluster + direction))


def _encode_name(name: str) -> bytes:
    encoded = name.encode()
    if not 0 < len(encoded) <= MAX_NAME_BYTES:
        raise ValueError(f"a name has 1 to {MAX_NAME_BYTES} bytes of UTF-8, unlike {name!r}")
    return encoded


def _direction_end(datagram: bytes) -> int:
    """Return where the counter begins, if the datagram begins like one of ours."""
    if len(datagram) < _LENGTHS_END:
        raise Rejection(Reason.SHORT)
    if not datagram.startswith(_START):
        raise Rejection(Reason.FOREIGN if datagram[0] != _START[0] else Reason.VERSION)
    return _LENGTHS_END + datagram[_KEY_END] + datagram[_KEY_END + 1] + BOOT_BYTES + MARK_BYTES
