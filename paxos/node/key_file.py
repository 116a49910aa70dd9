"""The file of a cluster's keys: a line of hexadecimal digits for each; the first seals.

Whoever reads it can be a member, so nobody but its owner may. It is never changed in place: a
reader sees the ring before or after a change, and a crash leaves one of the two.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import trio
from attrs import define

from paxos.errors import ConfigError
from paxos.node.alarms import KeysChanged, KeysRefused
from paxos.node.config_file import create_file
from paxos.protocol.events import Event
from paxos.wire import Wire
from paxos.wire.keys import KEY_BYTES, MAX_KEYS, KeyRing

LOOK_AGAIN: Final = 1.0
"""Seconds between two looks at a key file."""

_LINE: Final = 2 * KEY_BYTES + 1

Look: TypeAlias = tuple[int, ...]
"""Inode, size and times of change of a file; empty where there is none."""


def read_keys(path: Path) -> KeyRing:
    """Read a ring; raise `ConfigError`, which never shows any of it."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_KEYS * _LINE + 1)
    except FileNotFoundError:
        raise ConfigError(f"key_file {path} does not exist; copy it from another member") from None
    except OSError as error:
        raise ConfigError(f"key_file {path} cannot be read: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(
            f"key_file {path} can be used by others than its owner (mode "
            f"{stat.S_IMODE(mode):04o}); run: chmod 600 {path}"
        )
    with suppress(ValueError):
        keys = [bytes.fromhex(line) for line in content.decode("ascii").split()]
        return KeyRing(tuple(keys))
    raise ConfigError(
        f"key_file {path} must hold 1 to {MAX_KEYS} different lines of {2 * KEY_BYTES} hexadecimal "
        "digits; copy it again from another member"
    )


def create_keys(path: Path, ring: KeyRing) -> None:
    """Write a new file, mode 0600; raise `ConfigError` if there is one already."""
    create_file(path, _text(ring), mode=0o600)


def replace_keys(path: Path, ring: KeyRing) -> None:
    """Put a ring in the place of the file's, at once and durably, mode 0600."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    create_file(beside, _text(ring), mode=0o600)
    try:
        beside.replace(path)
    except OSError as error:
        beside.unlink()
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None


def _text(ring: KeyRing) -> str:
    return "".join(f"{key.hex()}\n" for key in ring.keys)


@define
class KeyWatch:
    """Notices that a key file has changed."""

    path: Path
    look: Look | None = None
    """How it looked when it was read last; None at first, so the first reading is a change."""

    def changed(self) -> KeyRing | None:
        """Return the ring, if the file looks different from last time and can be used.

        Raises `ConfigError`, once for each change, where it cannot: the old keys stay in use.
        """
        try:
            found = self.path.stat()
        except OSError:
            look: Look = ()
        else:
            # The last changes with its mode, too.
            look = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if look == self.look:
            return None
        self.look = look
        return read_keys(self.path)


async def watch_keys(path: Path, wire: Wire, tell: Callable[[Event], None]) -> None:
    """Use whatever ring the file holds, for ever; tell of every change, and why one was refused."""
    watch = KeyWatch(path)
    while True:
        try:
            ring = await trio.to_thread.run_sync(watch.changed)
        except ConfigError as error:
            tell(KeysRefused(str(error)))
        else:
            if ring is not None and ring != wire.keys:
                wire.rekey(ring)
                tell(KeysChanged(ring.ids))
        await trio.sleep(LOOK_AGAIN)
