"""The values of a log as bytes: the same in messages and in journals.

============== =====================================
value          written as
============== =====================================
`NoOp`         ``[0]``
`Leadership`   ``[1, leader, epoch]``
`Batch`        ``[2, run, run, ...]``
============== =====================================

A run is ``[node, boot, first, [data, data, ...]]``: commands of one session with consecutive
numbers from ``first`` on. Commands of one node nearly always come so, and a run costs the name
once and no number per command. In the place of a command's data may stand a decree, as an array.

A message has the bytes of a value as a byte string. So a leader encodes a batch once, for all that
it tells and for its journal, and whoever hears of it keeps the bytes as they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any, Final, cast

import cbor2

from paxos.protocol.values import NOOP, NoOp, Value
from paxos.replicated.decrees import Decree
from paxos.replicated.values import (
    CLIENT_PREFIX,
    MAX_BATCH_BYTES,
    MAX_BATCH_COMMANDS,
    MAX_COMMAND_BYTES,
    Batch,
    Command,
    Leadership,
    LogValue,
    Session,
)
from paxos.wire.cbor import Malformed, parse
from paxos.wire.decrees import encode_decree, read_decree
from paxos.wire.fields import MAX_NATURAL, name, natural, read_leadership

MAX_COMMANDS: Final = 2 * MAX_BATCH_COMMANDS
"""The most commands that are read as one value or message: a batch, with slack."""

MAX_COMMANDS_BYTES: Final = MAX_BATCH_BYTES + MAX_COMMAND_BYTES
"""The most bytes of commands that are read as one: a batch, closed by a command of full size."""

MAX_REMEMBERED: Final = 64 << 10
"""The most bytes that a batch remembers of itself: large ones would be in memory twice."""

_NOOP, _LEADERSHIP, _BATCH = range(3)


def encode_value(value: Value) -> bytes:
    """Return the bytes of a log's value; raise TypeError when it is none."""
    if type(value) is Batch:
        if value.encoded:
            return value.encoded
        data = cbor2.dumps([_BATCH, *write_commands(value.commands)], default=encode_decree)
        if len(data) <= MAX_REMEMBERED:
            object.__setattr__(value, "encoded", data)
        return data
    if type(value) is Leadership:
        return cbor2.dumps([_LEADERSHIP, value.leader, value.epoch])
    if type(value) is NoOp:
        return cbor2.dumps([_NOOP])
    raise TypeError(f"not a value of a log: {value!r}")


def decode_value(data: bytes) -> LogValue:
    """Return the value that `encode_value` wrote; raise `Malformed` for anything else."""
    item = parse(data)
    if type(item) is tuple and item and type(item[0]) is int:
        kind = item[0]
        if kind == _BATCH:
            return Batch(read_commands(item[1:]), data if len(data) <= MAX_REMEMBERED else b"")
        if kind == _LEADERSHIP:
            return read_leadership(item[1:])
        if kind == _NOOP and len(item) == 1:
            return NOOP
    raise Malformed("not a value")


def read_value(item: Any) -> LogValue:
    """Read a value in a message, where it stands as bytes."""
    if type(item) is bytes:
        return decode_value(item)
    raise Malformed("not the bytes of a value")


def write_commands(commands: Iterable[Command]) -> list[Any]:
    """Return commands as a list of runs."""
    runs: list[Any] = []
    current: Session | None = None
    expected = -1
    append = None
    for session, number, data in commands:
        # Sessions are compared only when they are two objects: mostly they are one.
        if number != expected or append is None or (session is not current and session != current):
            datas: list[bytes | Decree] = []
            append = datas.append
            runs.append((session.node, session.boot, number, datas))
            current = session
        append(data)
        expected = number + 1
    return runs


def read_commands(runs: Any) -> tuple[Command, ...]:
    """Check a tuple of runs and return their commands."""
    if type(runs) is not tuple:
        raise Malformed("not commands")
    if len(runs) == 1:
        return tuple(_read_run(runs[0], MAX_COMMANDS, MAX_COMMANDS_BYTES)[0])
    commands: list[Command] = []
    bytes_left = MAX_COMMANDS_BYTES
    for run in runs:
        more, length = _read_run(run, MAX_COMMANDS - len(commands), bytes_left)
        commands.extend(more)
        bytes_left -= length
    return tuple(commands)


def _read_run(run: Any, most: int, most_bytes: int) -> tuple[Iterator[Command], int]:
    if type(run) is not tuple or len(run) != 4:
        raise Malformed("not a run of commands")
    node, boot, first, datas = run
    session = Session(name(node), natural(boot))
    if type(datas) is not tuple or not 0 < len(datas) <= most:
        raise Malformed("no commands, or too many")
    if natural(first) + len(datas) - 1 > MAX_NATURAL:
        raise Malformed("command numbers out of range")
    if set(map(type, datas)) == {bytes}:
        lengths = list(map(len, datas))
    else:
        datas = _read_decrees(session, datas)
        lengths = [len(data) if type(data) is bytes else data.size for data in datas]
    length = sum(lengths)
    if length > most_bytes or (length > MAX_COMMAND_BYTES and max(lengths) > MAX_COMMAND_BYTES):
        raise Malformed("too many bytes of commands")
    # All in C: this runs once per command, and everything is checked already.
    rows = zip(repeat(session), range(first, first + len(datas)), datas)
    return cast("Iterator[Command]", map(tuple.__new__, repeat(Command), rows)), length


def _read_decrees(session: Session, datas: tuple[Any, ...]) -> tuple[Any, ...]:
    """Read the decrees among the commands. Clients have none: they are no part of the cluster."""
    if session.node.startswith(CLIENT_PREFIX):
        raise Malformed("a client's command is not bytes")
    return tuple(data if type(data) is bytes else read_decree(data) for data in datas)
