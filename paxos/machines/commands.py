"""What a key-value machine is asked, as classes and as bytes.

=============== ============================================ ==========================
command         written as                                   answered with
=============== ============================================ ==========================
`Put`           ``[0, key, value]``                          null
`Delete`        ``[1, key]``                                 whether there was anything
`Get`           ``[2, key]``                                 an item, or null
`Range`         ``[3, prefix, after, limit]``                ``[[[key, item], ...], more]``
`Transaction`   ``[4, compares, then, otherwise]``           ``[held, [answer, ...]]``
`Changes`       ``[5, prefix, since, limit]``                ``[[change, ...], revision]``
=============== ============================================ ==========================

Every answer is ``[revision, answer]``. An item is ``[value, created, modified, version]``, a change
``[revision, key, value]``, a comparison ``[key, what, how, operand]``. Bytes are strict CBOR, and
anybody's: what does not fit is a `BadCommand`, the same on every node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias, cast

import cbor2
from attrs import frozen

from paxos.wire.cbor import Malformed, parse

MAX_KEY: Final = 1024
"""The longest key, in characters."""

MAX_VALUE: Final = 1 << 19
"""The largest value, in bytes: one fits any answer."""

MAX_COMMAND: Final = 900 << 10
"""The largest command, in bytes: what one transaction changed fits any answer."""

MAX_PARTS: Final = 128
"""The most comparisons, and the most commands of one branch, in a transaction."""

MAX_LIMIT: Final = 1000
"""The most keys, or changes, in one answer."""

MAX_REVISION: Final = 2**63 - 1

What: TypeAlias = Literal["value", "created", "modified", "version"]
How: TypeAlias = Literal["=", "!=", "<", ">"]


class BadCommand(ValueError):  # noqa: N818 - it says what the command is
    """These bytes are no command of this machine, or ask for too much; nothing was changed."""


@frozen
class Put:
    """Set a key."""

    key: str
    value: bytes


@frozen
class Delete:
    """Remove a key."""

    key: str


@frozen
class Get:
    """Read a key."""

    key: str


@frozen
class Range:
    """Read the keys that begin with a prefix, in their order, from behind ``after`` on."""

    prefix: str = ""
    after: str = ""
    limit: int = MAX_LIMIT


@frozen
class Compare:
    """A comparison of a key's item with what is expected.

    A key that is missing has the value None and zero for the rest. Values that are missing can
    only be equal or not.
    """

    key: str
    what: What
    how: How
    operand: bytes | int | None


Simple: TypeAlias = Put | Delete | Get | Range
"""What a transaction may do."""


@frozen
class Transaction:
    """Do one thing if every comparison holds, and another if not; all of it or nothing."""

    compares: tuple[Compare, ...] = ()
    then: tuple[Simple, ...] = ()
    otherwise: tuple[Simple, ...] = ()


@frozen
class Changes:
    """Tell what changed after the revision ``since``; None asks for the revision only."""

    prefix: str = ""
    since: int | None = None
    limit: int = MAX_LIMIT


Request: TypeAlias = Simple | Transaction | Changes


def encode(request: Request) -> bytes:
    """Return the bytes of a command. Raises `BadCommand` for one that would be refused."""
    try:
        data = cbor2.dumps(_write(request))
    except UnicodeEncodeError:
        raise BadCommand("a key is no Unicode text") from None
    decode(data)
    return data


def decode(data: bytes) -> Request:
    """Return the command; raise `BadCommand` for anything else."""
    if len(data) > MAX_COMMAND:
        raise BadCommand(f"a command is at most {MAX_COMMAND:,} bytes")
    try:
        item = parse(data)
    except Malformed:
        # The parser's own words may differ between its versions, and an error is an answer.
        raise BadCommand("not a key-value command: `paxos kv` makes some") from None
    return cast("Request", _read(item, _READERS))


def _write(request: Request) -> list[Any]:
    match request:
        case Put(key, value):
            return [0, key, value]
        case Delete(key):
            return [1, key]
        case Get(key):
            return [2, key]
        case Range(prefix, after, limit):
            return [3, prefix, after, limit]
        case Transaction(compares, then, otherwise):
            rows = [[c.key, c.what, c.how, c.operand] for c in compares]
            return [4, rows, [*map(_write, then)], [*map(_write, otherwise)]]
        case Changes(prefix, since, limit):
            return [5, prefix, since, limit]


def _read(item: Any, readers: tuple[Callable[..., Any], ...]) -> Any:
    if type(item) is not tuple or not item or type(item[0]) is not int:
        raise BadCommand("not a key-value command: `paxos kv` makes some")
    if not 0 <= item[0] < len(readers):
        raise BadCommand("a command of unknown kind, or not here")
    reader, length = readers[item[0]], len(item) - 1
    if length != reader.__code__.co_argcount:
        raise BadCommand("a command with too few parts, or too many")
    return reader(*item[1:])


def _put(key: Any, value: Any) -> Put:
    if type(value) is not bytes or len(value) > MAX_VALUE:
        raise BadCommand(f"a value is at most {MAX_VALUE:,} bytes")
    return Put(_key(key), value)


def _delete(key: Any) -> Delete:
    return Delete(_key(key))


def _get(key: Any) -> Get:
    return Get(_key(key))


def _range(prefix: Any, after: Any, limit: Any) -> Range:
    return Range(_text(prefix), _text(after), _limit(limit))


def _transaction(compares: Any, then: Any, otherwise: Any) -> Transaction:
    rows = tuple(map(_compare, _parts(compares)))
    return Transaction(rows, _branch(then), _branch(otherwise))


def _changes(prefix: Any, since: Any, limit: Any) -> Changes:
    return Changes(_text(prefix), None if since is None else _revision(since), _limit(limit))


_READERS: Final = (_put, _delete, _get, _range, _transaction, _changes)


def _branch(item: Any) -> tuple[Simple, ...]:
    branch = tuple(cast("Simple", _read(part, _READERS[:4])) for part in _parts(item))
    written = [part.key for part in branch if isinstance(part, Put | Delete)]
    if len(set(written)) != len(written):
        raise BadCommand("a transaction writes a key once")
    return branch


def _compare(row: Any) -> Compare:
    if type(row) is not tuple or len(row) != 4:
        raise BadCommand("a comparison has a key, what, how and an operand")
    key, what, how, operand = row
    if what not in ("value", "created", "modified", "version") or how not in ("=", "!=", "<", ">"):
        raise BadCommand("value, created, modified or version is compared by = != < or >")
    if what != "value":
        return Compare(_key(key), what, how, _revision(operand))
    if operand is None and how in ("=", "!="):
        return Compare(_key(key), what, how, None)
    if type(operand) is not bytes or len(operand) > MAX_VALUE:
        raise BadCommand("a value is compared with bytes, or by = and != with null")
    return Compare(_key(key), what, how, operand)


def _parts(item: Any) -> tuple[Any, ...]:
    if type(item) is tuple and len(item) <= MAX_PARTS:
        return item
    raise BadCommand(f"a transaction has lists of at most {MAX_PARTS} parts")


def _text(item: Any) -> str:
    if type(item) is str and len(item) <= MAX_KEY:
        return item
    raise BadCommand(f"a key is a text of at most {MAX_KEY:,} characters")


def _key(item: Any) -> str:
    if item == "":
        raise BadCommand("a key is not empty")
    return _text(item)


def _limit(item: Any) -> int:
    if type(item) is int and 1 <= item <= MAX_LIMIT:
        return item
    raise BadCommand(f"a limit is 1 to {MAX_LIMIT:,}")


def _revision(item: Any) -> int:
    if type(item) is int and 0 <= item <= MAX_REVISION:
        return item
    raise BadCommand("a revision or version is a natural number")
