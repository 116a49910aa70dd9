"""Writes down what clients do, in memory, and then as JSON lines."""

from __future__ import annotations

import json
from typing import Any

from attrs import define, field, frozen

from paxos.testing.linearizability.history import History
from paxos.testing.linearizability.reading import Reader


@define
class Recorder:
    """A history while it is made. The order of calls is taken for the order in real time.

    Values and keys are what JSON can carry. Nothing here waits or reads a clock.
    """

    events: list[dict[str, Any]] = field(factory=list)

    def invoke(self, process: int | str, f: str, key: Any = None, value: Any = None) -> Handle:
        """Write down that a process begins an operation; call one method of the handle at its end.

        After `Handle.info` a process may go on, under its name or a new one.
        """
        self._record(process, "invoke", f, key, value)
        return Handle(self, process, f, key, value)

    def _record(self, process: int | str, kind: str, f: str, key: Any, value: Any) -> None:
        self.events.append({"process": process, "type": kind, "f": f, "key": key, "value": value})

    def history(self) -> History:
        """Return what can be checked. Raises ValueError where a process did two things at once."""
        reader = Reader()
        for number, event in enumerate(self.events, 1):
            reader.add(number, event)
        return reader.finish()

    def dump(self) -> str:
        """Return the JSON lines that ``paxos check`` reads."""
        return "".join(json.dumps(event) + "\n" for event in self.events)


@frozen
class Handle:
    """An operation that has begun."""

    _recorder: Recorder
    _process: int | str
    _f: str
    _key: Any
    _value: Any

    def ok(self, value: Any = None) -> None:
        """Note that it took effect; a read returned ``value``."""
        self._end("ok", value if self._f == "read" else self._value)

    def fail(self) -> None:
        """Note that it did not take effect, and never will."""
        self._end("fail", self._value)

    def info(self) -> None:
        """Note that nobody knows whether it took effect or will."""
        self._end("info", self._value)

    def _end(self, kind: str, value: Any) -> None:
        self._recorder._record(self._process, kind, self._f, self._key, value)
