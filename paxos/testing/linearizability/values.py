"""JSON values as Python values that can be compared and hashed."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any, Final

from attrs import frozen

_PLAIN: Final = {str, int, float, type(None)}


@frozen(cache_hash=True)
class Opaque:
    """A JSON object, or true or false (which Python takes for 1 and 0), by its sorted text."""

    text: str


def freeze(value: Any) -> Hashable:
    """Return a hashable value, equal to another exactly where the JSON values are equal.

    Null, strings and numbers stay as they are, arrays become tuples, the rest becomes `Opaque`.
    Other hashable values of Python stay as they are too. Raises TypeError where there is no hash.
    """
    if type(value) in _PLAIN:
        return value  # type: ignore[no-any-return]
    if isinstance(value, list | tuple):
        if set(map(type, value)) <= _PLAIN:  # long lists of the append model
            return tuple(value)
        return tuple(map(freeze, value))
    if isinstance(value, bool | dict):
        return Opaque(json.dumps(_thaw(freeze_items(value)), sort_keys=True))
    hash(value)
    return value  # type: ignore[no-any-return]


def freeze_items(value: bool | dict[str, Any]) -> Any:
    """Freeze what is in an object, so that 1 and 1.0 have one text."""
    if isinstance(value, bool):
        return value
    return {key: freeze(item) for key, item in value.items()}


def show(value: Hashable) -> str:
    """Return a value as JSON in ASCII, safe on every terminal."""
    return json.dumps(_thaw(value), default=repr)


def _thaw(value: Any) -> Any:
    if isinstance(value, Opaque):
        return json.loads(value.text)
    if isinstance(value, tuple):
        return [_thaw(item) for item in value]
    if isinstance(value, dict):
        return {key: _thaw(item) for key, item in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
