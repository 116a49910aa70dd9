"""The strict subset of CBOR that travels: integers, strings, booleans, null and arrays of these.

Whatever the bytes say, decoding ends in a nest of tuples or in `Malformed`. Types and sizes of
what is in the nest are for the schemas to check.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NoReturn

import cbor2

MAX_DEPTH: Final = 8
"""head of a snapshot > elections > their rows > election > roster > candidate are six. The answer
to a transaction of a key-value machine has seven; nothing that we know has more."""


class Malformed(ValueError):  # noqa: N818  the word that the package uses everywhere
    """These bytes are not what they should be; they come from a bug or from an enemy."""


class _NoTags(dict[int, Any]):
    """Refuses every tag before its decoder could run; costs nothing where there are none."""

    def __missing__(self, tag: int) -> NoReturn:
        raise Malformed(f"tag {tag}")


_NO_TAGS: Final = _NoTags()


def _no_maps(_: object, __: object) -> NoReturn:
    raise Malformed("a map")


def parse(data: bytes) -> Any:
    """Decode exactly one item; arrays become tuples.

    Raises `Malformed` for tags, maps, indefinite lengths, excessive depth, missing or extra bytes,
    and for whatever is not written in its shortest form: one meaning has one spelling.
    """
    try:
        item = cbor2.loads(
            data,
            immutable=True,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            # Keys of maps could be chosen to collide. A map is refused only when it is complete,
            # so this ends it at the first key that is no string, whose hash nobody can foresee.
            strict_hashable_types=True,
            object_hook=_no_maps,
            max_depth=MAX_DEPTH,
            semantic_decoders=_NO_TAGS,
        )
        shortest = cbor2.dumps(item)
    except Exception as error:
        # The decoder is not ours and the bytes are anybody's: no error of its may get further.
        raise Malformed(str(error)) from None
    # The library ignores what follows the first item; here that makes a difference, too.
    if shortest != data:
        raise Malformed("not in the shortest form, or bytes after the end")
    return item


def kind_of(item: Any) -> int:
    """Return the number with which an array begins, or -1 where it begins with none."""
    if type(item) is tuple and item and type(item[0]) is int:
        kind: int = item[0]
        return kind
    return -1


def array(items: Sequence[bytes]) -> bytes:
    """Return an array of items that are encoded already; at most 65,535 of them."""
    count = len(items)
    if count < 24:
        header = bytes((0x80 | count,))
    elif count < 0x100:
        header = bytes((0x98, count))
    else:
        header = b"\x99" + count.to_bytes(2, "big")
    return header + b"".join(items)
