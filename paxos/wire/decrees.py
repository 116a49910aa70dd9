"""Decrees as bytes: ``[kind, field, ...]`` where a command of a run would be bytes.

As with messages, a kind's number and fields never change once released.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final, cast

import attrs
import cbor2
from attrs import AttrsInstance

from paxos.replicated import effect_decrees as effects
from paxos.replicated import election_decrees as elections
from paxos.replicated.decrees import Decree
from paxos.replicated.effect_decrees import MAX_KEY, MAX_OUTCOME, MAX_RETENTION
from paxos.replicated.election_decrees import MAX_PRIORITY, MAX_PROCLAIMED
from paxos.replicated.values import Leadership
from paxos.wire.cbor import Malformed
from paxos.wire.fields import NAME, NATURAL, SLOT_OR_NONE, Field, natural, sized


def _read_priority(item: Any) -> int:
    if type(item) is int and -MAX_PRIORITY < item < MAX_PRIORITY:
        return item
    raise Malformed("not a priority")


def _read_retention(item: Any) -> int:
    if natural(item) <= MAX_RETENTION:
        return natural(item)
    raise Malformed("not a retention, or too long")


PRIORITY: Final = Field(_read_priority)
PROCLAIMED: Final = sized(bytes, 0, MAX_PROCLAIMED, "a value to proclaim")
KEY: Final = sized(str, 1, MAX_KEY, "a key of an effect")
EFFECT_OUTCOME: Final = sized(bytes, 0, MAX_OUTCOME, "an outcome of an effect")
RETENTION: Final = Field(_read_retention)

LAYOUTS: Final[dict[int, tuple[type[Decree], tuple[Field, ...]]]] = {
    1: (Leadership, (NAME, NATURAL, NAME)),
    2: (elections.Renew, (NATURAL, NATURAL)),
    3: (elections.Campaign, (NATURAL, NATURAL, NAME, PRIORITY, PROCLAIMED)),
    4: (elections.Resign, (NAME,)),
    5: (elections.Proclaim, (NAME, NATURAL, PROCLAIMED)),
    6: (elections.HandOver, (NAME, NATURAL, NAME)),
    7: (elections.Expire, (NAME, NATURAL, NATURAL)),
    16: (effects.Intend, (NAME, KEY, NATURAL, SLOT_OR_NONE, RETENTION)),
    17: (effects.Conclude, (NAME, KEY, EFFECT_OUTCOME, NATURAL)),
}
"""Number, class, and the kinds of the fields, in the order in which the class declares them.

1 to 15 are for elections, 16 to 23 for effects, 24 to 31 for incarnations of nodes. The encoder
needs no help with any field: decrees are flat.
"""


def _getter(cls: type[Decree], fields: tuple[Field, ...]) -> attrgetter[Any]:
    names = [attribute.name for attribute in attrs.fields(cast("type[AttrsInstance]", cls))]
    assert len(names) == len(fields), cls
    return attrgetter("__class__", *names, "__class__")  # two more, so that it is always a tuple


_WRITE: Final = {cls: (kind, _getter(cls, fields)) for kind, (cls, fields) in LAYOUTS.items()}


def encode_decree(encoder: cbor2.CBOREncoder, decree: object) -> None:
    """Write a decree: the encoder's resort for what is no plain type, so others cost nothing.

    Raises TypeError for anything but a decree.
    """
    plan = _WRITE.get(cast("type[Decree]", type(decree)))
    if plan is None:
        raise TypeError(f"{decree!r} does not travel")
    kind, fields_of = plan
    encoder.encode((kind, *fields_of(decree)[1:-1]))


def read_decree(item: Any) -> Decree:
    """Check a parsed item against its layout; raise `Malformed` where it departs from it."""
    if type(item) is not tuple or not item or type(item[0]) is not int:
        raise Malformed("neither a command nor a decree")
    kind, *rest = item
    layout = LAYOUTS.get(kind)
    if layout is None:
        raise Malformed("a decree of unknown kind")
    cls, fields = layout
    if len(rest) != len(fields):
        raise Malformed("too few fields, or too many")
    return cls(*[field.read(part) for field, part in zip(fields, rest, strict=True)])
