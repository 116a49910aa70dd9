"""Where benchmarks keep their data, said in words: figures of durable runs depend on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOUNTS = Path("/proc/mounts")


@contextmanager
def folder(where: Path | None) -> Iterator[Path]:
    """Make a new folder in ``where``, or where temporary files go; remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=where) as path:
        yield Path(path)


def place(path: Path | None) -> str:
    """Return in words on what kind of disk a path lies; None stands for temporary files."""
    path = (Path(tempfile.gettempdir()) if path is None else path).resolve()
    if not MOUNTS.exists():
        return "an unknown disk"
    mounts = [line.split()[:3] for line in MOUNTS.read_text().splitlines()]
    holding = [mount for mount in mounts if path.is_relative_to(mount[1])]
    device, _, system = max(holding, key=lambda mount: len(mount[1]))
    if system in ("tmpfs", "ramfs"):
        return "a memory disk"
    if device.startswith("/dev/loop"):
        return f"{system} on a loop device"
    return f"{system} on a disk"
