"""The three items by which two processes find out that the other one lives.

============ =============================== ======================================================
item         written as                      meaning
============ =============================== ======================================================
`Challenge`  ``[60, nonce, boot]``           you, the boot of this id: send this number back
`Response`   ``[61, nonce]``                 here it is: this process lives
`Displaced`  ``[62, loser, winner]``         two live processes have your name; ``loser`` must stop
============ =============================== ======================================================
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import cbor2
from attrs import frozen

from paxos.wire.cbor import Malformed

NONCE_BYTES: Final = 16

PROOF_KINDS: Final = range(60, 63)
_CHALLENGE, _RESPONSE, _DISPLACED = PROOF_KINDS


@frozen
class Challenge:
    """A question that only a live process with the key can answer."""

    nonce: bytes
    boot: bytes
    """Whom it is for: another life of the same name does not answer it."""


@frozen
class Response:
    """The answer."""

    nonce: bytes


@frozen
class Displaced:
    """What a process is told that shares its name with another one, and started later."""

    loser: bytes
    winner: bytes


Proof: TypeAlias = Challenge | Response | Displaced


def encode_proof(proof: Proof) -> bytes:
    """Return the bytes of an item."""
    if type(proof) is Challenge:
        return cbor2.dumps([_CHALLENGE, proof.nonce, proof.boot])
    if type(proof) is Response:
        return cbor2.dumps([_RESPONSE, proof.nonce])
    assert type(proof) is Displaced
    return cbor2.dumps([_DISPLACED, proof.loser, proof.winner])


def read_proof(parsed: Any) -> Proof:
    """Check what begins with one of `PROOF_KINDS` against the table above; raise `Malformed`."""
    match parsed:
        case (60, nonce, boot):
            return Challenge(_read_bytes(nonce), _read_bytes(boot))
        case (61, nonce):
            return Response(_read_bytes(nonce))
        case (62, loser, winner):
            return Displaced(_read_bytes(loser), _read_bytes(winner))
    raise Malformed("not a challenge, a response or a notice")


def _read_bytes(item: Any) -> bytes:
    if type(item) is bytes and len(item) == NONCE_BYTES:
        return item
    raise Malformed("not sixteen bytes")
