"""Sealed datagrams: only holders of the cluster's key can write, read or repeat one.

A datagram on the wire::

    magic  version  len(source)  len(target)  source  target  boot  counter  sealed
    1 byte 1 byte   1 byte       1 byte       1..64   1..64   16    8        AES-256-GCM

Everything before ``sealed``, and the cluster's name, is its associated data. Each direction has a
key of its own, derived from the cluster's key and the names of cluster, source and target and the
source's boot: 16 bytes drawn at random when it starts. The nonce is a counter that rises with
every datagram a source seals for anyone. So a nonce never meets the same key twice, neither after
a restart nor when a key was forgotten and derived again, and a datagram that is sent back to its
source, or on to another node, opens nowhere.

A receiver drops what it has opened before. That memory ends with its process: after a restart an
old datagram may be opened once more, and is then no worse than one that the network had delayed.
"""

from __future__ import annotations

import os
from enum import Enum
from typing import Final

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from paxos.replicated.values import CLIENT_PREFIX
from paxos.wire.recent import Recent
from paxos.wire.replay import ReplayWindow

VERSION: Final = 1
"""The version of this format and of the messages inside; it must be equal at both ends."""

KEY_BYTES: Final = 32
"""The length of a cluster's key, in bytes."""

BOOT_BYTES: Final = 16
MAX_NAME_BYTES: Final = 64

MAX_MEMBER_KEYS: Final = 256
"""How many keys to or from members are remembered; one for each boot of each."""

MAX_CLIENT_KEYS: Final = 1024
"""The same for clients, apart, so that a crowd of clients never displaces a member."""

COUNTER_BYTES: Final = 8
TAG_BYTES: Final = 16

_PURPOSE: Final = b"paxos datagram"
_START: Final = bytes((0x50, VERSION))
_LENGTHS_END: Final = len(_START) + 2
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
    """What it takes to open the datagrams of one boot of one source."""

    cipher: AESGCM
    source: str
    window: ReplayWindow


class Sealer:
    """Seals datagrams in the name of one node or client, and opens those meant for it.

    ``cluster`` is the cluster's name, ``key`` its secret of `KEY_BYTES` bytes, ``name`` one's own
    name; ``boot`` is drawn at random unless a test gives it. Raises ValueError for a key or boot
    of another length, and for names that are not 1 to 64 bytes of UTF-8.
    """

    def __init__(self, cluster: str, key: bytes, name: str, boot: bytes | None = None) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a cluster's key has {KEY_BYTES} bytes, not {len(key)}")
        self._boot = os.urandom(BOOT_BYTES) if boot is None else boot
        if len(self._boot) != BOOT_BYTES:
            raise ValueError(f"a boot has {BOOT_BYTES} bytes, not {len(self._boot)}")
        self._key = key
        self._name = _encode_name(name)
        cluster_name = cluster.encode()
        self._cluster = len(cluster_name).to_bytes(2, "big") + cluster_name
        self._counter = 0
        """Of the next datagram: one for all targets, so no forgotten key can see one again."""
        self._to_members: Recent[str, _Outbound] = Recent(MAX_MEMBER_KEYS)
        self._to_clients: Recent[str, _Outbound] = Recent(MAX_CLIENT_KEYS)
        self._from_members: Recent[bytes, _Inbound] = Recent(MAX_MEMBER_KEYS)
        self._from_clients: Recent[bytes, _Inbound] = Recent(MAX_CLIENT_KEYS)

    def overhead(self, target: str) -> int:
        """Return how many bytes longer a sealed datagram is than its plaintext."""
        lengths = len(self._name) + len(target.encode())
        return _LENGTHS_END + lengths + BOOT_BYTES + COUNTER_BYTES + TAG_BYTES

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

    def open(self, datagram: bytes) -> tuple[str, bytes]:
        """Return source and plaintext of a datagram never opened before; raise `Rejection`."""
        direction_end = _direction_end(datagram)
        header_end = direction_end + COUNTER_BYTES
        if len(datagram) < header_end + TAG_BYTES:
            raise Rejection(Reason.SHORT)
        direction = datagram[:direction_end]
        from_client = direction.startswith(_CLIENT_PREFIX, _LENGTHS_END)
        known = self._from_clients if from_client else self._from_members
        inbound = known.get(direction)
        is_first = inbound is None
        if inbound is None:
            inbound = self._inbound(direction)
        header = datagram[:header_end]
        counter = header[direction_end:]
        number = int.from_bytes(counter, "big")
        if not inbound.window.is_new(number):
            raise Rejection(Reason.REPLAYED)
        nonce = _NONCE_START + counter
        sealed = datagram[header_end:]
        try:
            plaintext = inbound.cipher.decrypt(nonce, sealed, self._cluster + header)
        except InvalidTag:
            raise Rejection(Reason.UNAUTHENTIC) from None
        inbound.window.add(number)
        if is_first:
            # Only now: whoever lacks the key can invent boots, and must not displace live peers.
            known.put(direction, inbound)
        return inbound.source, plaintext

    def _outbound(self, target: str) -> _Outbound:
        target_name = _encode_name(target)
        lengths = bytes((len(self._name), len(target_name)))
        direction = _START + lengths + self._name + target_name + self._boot
        return _Outbound(self._cipher(direction), direction)

    def _inbound(self, direction: bytes) -> _Inbound:
        """Read the direction of a datagram from a source, or a boot of it, that is not known."""
        source_end = _LENGTHS_END + direction[2]
        target_end = source_end + direction[3]
        if direction[source_end:target_end] != self._name:
            raise Rejection(Reason.TARGET)
        try:
            source = direction[_LENGTHS_END:source_end].decode()
            _encode_name(source)
        except ValueError:
            raise Rejection(Reason.FOREIGN) from None
        return _Inbound(self._cipher(direction), source, ReplayWindow())

    def _cipher(self, direction: bytes) -> AESGCM:
        """Derive the key of one direction: version, source, target and boot, and the cluster."""
        info = _PURPOSE + self._cluster + direction
        return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(self._key))


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
    return _LENGTHS_END + datagram[2] + datagram[3] + BOOT_BYTES
