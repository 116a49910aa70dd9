"""The cluster's secrets: one key or, while they are exchanged, several.

A new key must be known to everybody before anybody seals with it, and an old one may be forgotten
when nobody seals with it any more. So a ring holds several keys; the first seals, and each opens.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import Final

from attrs import field, frozen
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES: Final = 32
"""The length of a cluster's key, in bytes."""

KEY_ID_BYTES: Final = 4

MAX_KEYS: Final = 8
"""The most keys of one ring."""


def derive(key: bytes, info: bytes) -> bytes:
    """Return the key that belongs to a purpose, by HKDF (RFC 5869)."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(key)


def key_id(key: bytes) -> bytes:
    """Return the public name of a key; it tells nothing about it, for a key is random."""
    return blake2b(key, digest_size=KEY_ID_BYTES, person=b"paxos key id").digest()


def _check_keys(_: object, __: object, keys: tuple[bytes, ...]) -> None:
    if not 0 < len(keys) <= MAX_KEYS:
        raise ValueError(f"a key ring has 1 to {MAX_KEYS} keys, not {len(keys)}")
    for key in keys:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a cluster's key has {KEY_BYTES} bytes, not {len(key)}")
    if len({key_id(key) for key in keys}) < len(keys):
        raise ValueError("a key is in the ring twice")


@frozen(repr=False)
class KeyRing:
    """The keys that one member or client knows; the first seals.

    Raises ValueError for a key that does not have `KEY_BYTES` bytes, and for too many or none.
    """

    keys: tuple[bytes, ...] = field(validator=_check_keys)

    @classmethod
    def of(cls, keys: KeyRing | bytes) -> KeyRing:
        """Return the ring; a bare key is a ring of one."""
        return cls((keys,)) if isinstance(keys, bytes) else keys

    @classmethod
    def fresh(cls) -> KeyRing:
        """Return a ring of one new key."""
        return cls((secrets.token_bytes(KEY_BYTES),))

    @property
    def ids(self) -> tuple[str, ...]:
        """The public names of the keys, in hexadecimal digits."""
        return tuple(key_id(key).hex() for key in self.keys)

    def add(self) -> KeyRing:
        """Return the ring with one more key, which only opens as yet."""
        return KeyRing((*self.keys, secrets.token_bytes(KEY_BYTES)))

    def use(self, name: str) -> KeyRing:
        """Return the ring that seals with this key; raise KeyError if it does not have it."""
        key = self._named(name)
        return KeyRing((key, *(other for other in self.keys if other != key)))

    def remove(self, name: str) -> KeyRing:
        """Return the ring without this key; raise KeyError if it does not have it."""
        key = self._named(name)
        return KeyRing(tuple(other for other in self.keys if other != key))

    def _named(self, name: str) -> bytes:
        return dict(zip(self.ids, self.keys, strict=True))[name]

    def __repr__(self) -> str:
        # Never the keys: what is shown ends in logs.
        return f"KeyRing({', '.join(self.ids)})"
