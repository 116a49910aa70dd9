"""JSON lines to a `History`. Lines come from strangers: what has no clear meaning is refused."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable
from typing import Any, Final

from attrs import define, field

from paxos.errors import PaxosError
from paxos.testing.linearizability.history import History, Operation, Outcome
from paxos.testing.linearizability.values import freeze, show

FUNCTIONS: Final = frozenset({"read", "write", "cas", "append"})
TYPES: Final = frozenset({"invoke", *Outcome})


class HistoryError(PaxosError):
    """A line of a history cannot be read; the message says which line, and why."""


def read_history(lines: Iterable[str | bytes]) -> History:
    """Read JSON lines in their order in real time; blank lines and unknown fields do not matter.

    An operation that does not end is of unknown outcome. Raises `HistoryError`.
    """
    reader = Reader()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            reader.add(number, _parse(line))
        except (ValueError, RecursionError) as error:
            what = "nested too deeply" if isinstance(error, RecursionError) else error
            raise HistoryError(f"line {number}: {what}") from None
    return reader.finish()


def _parse(line: str | bytes) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON value")

    text = line.decode("utf-8-sig") if isinstance(line, bytes) else line
    event = json.loads(text, parse_constant=refuse)
    if not isinstance(event, dict):
        raise ValueError("not a JSON object")
    return event


@define
class _Open:
    line: int
    f: str
    key: Hashable
    value: Any


@define
class Reader:
    """Pairs invocations with completions. Its methods raise ValueError where they do not fit."""

    _open: dict[Hashable, _Open] = field(factory=dict)
    _operations: list[Operation] = field(factory=list)

    def add(self, line: int, event: dict[str, Any]) -> None:
        """Hear of one event; ``line`` rises from event to event."""
        kind = event.get("type")
        if not isinstance(kind, str) or kind not in TYPES:
            raise ValueError(f"type {kind!r} is none of invoke, ok, fail, info")
        if event.get("process") is None:
            raise ValueError("no process")
        process = freeze(event["process"])
        if kind == "invoke":
            self._invoke(line, process, event)
        else:
            self._complete(line, process, Outcome(kind), event)

    def _invoke(self, line: int, process: Hashable, event: dict[str, Any]) -> None:
        if process in self._open:
            before = self._open[process].line
            raise ValueError(
                f"process {show(process)} invokes, but its operation of line {before} has not ended"
            )
        f, value = event.get("f"), event.get("value")
        if not isinstance(f, str) or f not in FUNCTIONS:
            raise ValueError(f"f {f!r} is none of read, write, cas, append")
        if f != "read" and "value" not in event:
            raise ValueError(f"{f} has no value")
        if f == "cas" and not (isinstance(value, list) and len(value) == 2):
            raise ValueError("the value of a cas is [expected, new]")
        self._open[process] = _Open(line, f, freeze(event.get("key")), value)

    def _complete(
        self, line: int, process: Hashable, outcome: Outcome, event: dict[str, Any]
    ) -> None:
        begun = self._open.get(process)
        if begun is None:
            raise ValueError(f"process {show(process)} ends what it did not invoke")
        if event.get("f", begun.f) != begun.f:
            raise ValueError(f"f {event['f']!r} ends the {begun.f} of line {begun.line}")
        if event.get("key") is not None and freeze(event["key"]) != begun.key:
            raise ValueError(f"the operation of line {begun.line} ends with another key")
        del self._open[process]
        self._append(process, begun, outcome, event.get("value"), line)

    def _append(
        self, process: Hashable, begun: _Open, outcome: Outcome, value: Any, line: int
    ) -> None:
        self._operations.append(
            Operation(
                process=process,
                f=begun.f,
                key=begun.key,
                value=None if begun.f == "read" else begun.value,
                outcome=outcome,
                result=value if begun.f == "read" and outcome is Outcome.OK else None,
                invoked=begun.line,
                completed=None if outcome is Outcome.INFO else line,
            )
        )

    def finish(self) -> History:
        """Return the history; what is still open has an unknown outcome."""
        for process, begun in self._open.items():
            self._append(process, begun, Outcome.INFO, None, 0)
        self._open = {}
        return History(tuple(sorted(self._operations, key=lambda each: each.invoked)))
