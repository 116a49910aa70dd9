"""Small configuration files, read strictly: the unknown and the mistyped are refused by name."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Final, TypeVar

from paxos.errors import ConfigError

MAX_FILE_BYTES: Final = 1 << 20
"""No configuration is larger than this many bytes."""

T = TypeVar("T")

_NAMES: Final = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list of tables",
}
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\"}


class Table:
    """One table of a file, taken apart field by field."""

    def __init__(self, content: dict[str, object], name: str = "") -> None:
        self._content = dict(content)
        self._prefix = f"{name}." if name else ""

    def take(self, field: str, kind: type[T], default: T | None = None) -> T:
        """Remove and return a field; raise `ConfigError` if it is missing or not of this kind.

        A whole number is a number, too, but a boolean is neither.
        """
        value = self._content.pop(field, default)
        if value is None:
            raise ConfigError(f"{self._prefix}{field} is missing; give {_NAMES[kind]}")
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise ConfigError(f"{self._prefix}{field} must be {_NAMES[kind]}, not {value!r}")
        return value

    def take_table(self, field: str) -> Table:
        """Remove and return a table inside this one; a missing one is empty."""
        return Table(self.take(field, dict, {}), f"{self._prefix}{field}")

    def take_tables(self, field: str) -> list[Table]:
        """Remove and return a list of tables."""
        rows = self.take(field, list)
        tables = []
        for number, row in enumerate(rows, 1):
            name = f"{self._prefix}{field}[{number}]"
            if type(row) is not dict:
                raise ConfigError(f"{name} must be a table, not {row!r}")
            tables.append(Table(row, name))
        return tables

    def __contains__(self, field: str) -> bool:
        return field in self._content

    def finish(self) -> None:
        """Raise `ConfigError` if anything is left: a misspelt setting must not be ignored."""
        if self._content:
            unknown = ", ".join(f"{self._prefix}{field}" for field in sorted(self._content))
            raise ConfigError(f"{unknown} is not a setting of this version; correct or remove it")


def read_table(path: Path) -> Table:
    """Read a TOML file; raise `ConfigError` if it cannot be read or is not TOML."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError("there is no such file; `paxos init` makes one") from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"is larger than {MAX_FILE_BYTES} bytes, so it is not a cluster's file")
    try:
        return Table(tomllib.loads(content.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"is not valid TOML: {error}") from None


def toml_string(text: str) -> str:
    """Return the text as a basic string of TOML."""
    inside = "".join(
        _ESCAPES.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c) for c in text
    )
    return f'"{inside}"'


def create_file(path: Path, text: str, *, mode: int) -> None:
    """Create a file; raise `ConfigError` if there is one already or it cannot be written whole."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
        except BaseException:
            path.unlink()
            raise
    except FileExistsError:
        raise ConfigError(f"{path}: exists already and is never overwritten") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
