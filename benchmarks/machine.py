"""What a machine is and what runs on it, as far as figures depend on it."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

PACKAGES: Final = ("trio", "attrs", "cbor2", "cryptography", "pysyncobj")


def machine() -> dict[str, object]:
    """Return what figures depend on, but for what else the machine was doing."""
    return {
        "processor": _line("/proc/cpuinfo", "model name") or platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "memory": _line("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        **{package: _version(package) for package in PACKAGES},
        "commit": _commit(),
    }


def _line(path: str, name: str) -> str:
    """Return what a file of the system says under a name; empty when it does not."""
    file = Path(path)
    for line in file.read_text().splitlines() if file.exists() else ():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """Return the commit that is checked out, where this is a working tree and git is there."""
    if shutil.which("git") is None:
        return "unknown"
    asked = subprocess.run(  # noqa: S603 - a command of this file
        ["git", "-C", Path(__file__).parent, "describe", "--always", "--dirty"],  # noqa: S607 - found as a user would
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unknown"
