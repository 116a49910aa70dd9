"""Where benchmarks keep their data, said in words: figures of durable runs depend on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/mounts")
MEMORY_DISK: Final = Path("/dev/shm")  # noqa: S108 - folders in it are made by tempfile
LOOP_BYTES: Final = 4 << 30
"""How large a file system on a loop device is; its file takes what is written."""

MEMORY, LOOP, DISK = "memory", "loop", "disk"
NAMES: Final = (MEMORY, LOOP, DISK)
"""A memory disk, where syncs cost next to nothing; a loop device over one, which has the whole path
of a sync and repeats well; and the disk on which temporary files lie. Else a folder is named."""

_TOOLS: Final = ("mkfs.ext4", "mount", "umount")


class NoPlace(Exception):  # noqa: N818 - it says what happened
    """Data cannot be kept there; the text says why."""


@contextmanager
def folder(where: str) -> Iterator[Path]:
    """Make a new folder at one of `NAMES`, or in a folder; remove all of it at the end.

    Raises:
        NoPlace: There is none of that kind here.

    """
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=_parent(where)) as path:
        if where != LOOP:
            yield Path(path)
            return
        with _loop(Path(path)) as mounted:
            yield mounted


def missing(where: str) -> str:
    """Return why data cannot be kept there; empty when it can."""
    if where in (MEMORY, LOOP) and not os.access(MEMORY_DISK, os.W_OK):
        return f"there is no memory disk at {MEMORY_DISK}"
    if where == LOOP:
        absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
        if absent:
            return f"no {' and no '.join(absent)} on PATH"
        if os.geteuid() != 0:
            return "only root may mount a loop device"
    if where not in NAMES and not Path(where).is_dir():
        return f"{where} is none of {', '.join(NAMES)}, and no folder"
    return ""


def _parent(where: str) -> Path:
    why = missing(where)
    if why:
        raise NoPlace(why)
    if where in (MEMORY, LOOP):
        return MEMORY_DISK
    return Path(tempfile.gettempdir()) if where == DISK else Path(where)


@contextmanager
def _loop(path: Path) -> Iterator[Path]:
    image, mounted = path / "image", path / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(LOOP_BYTES)
    _run("mkfs.ext4", "-q", "-F", image)
    _run("mount", "-o", "loop", image, mounted)
    try:
        yield mounted
    finally:
        _run("umount", mounted)


def _run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)  # noqa: S603 - commands of this file
    if done.returncode != 0:
        raise NoPlace(f"{command[0]} has failed: {done.stderr.strip()}")


def place(path: Path) -> str:
    """Return in words on what kind of disk a path lies."""
    path = path.resolve()
    if not MOUNTS.exists():
        return "an unknown disk"
    mounts = [line.split()[:3] for line in MOUNTS.read_text().splitlines()]
    holding = [mount for mount in mounts if path.is_relative_to(mount[1])]
    device, _, system = max(holding, key=lambda mount: len(mount[1]))
    if system in ("tmpfs", "ramfs"):
        return "a memory disk"
    if device.startswith("/dev/loop"):
        return f"{system} on a loop device over a memory disk"
    return f"{system} on a disk"
