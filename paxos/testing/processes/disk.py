"""Disks that fail: a limit on the size of a process's files, and a sync that reports an error."""

from __future__ import annotations

import resource
import shutil
import subprocess
from pathlib import Path
from typing import Final

from paxos.errors import PaxosError

COMPILER: Final = "cc"

SWITCH: Final = "PAXOS_TESTING_FAIL_SYNC"
"""The environment variable that names the file which, while it exists, makes every sync fail."""

SOURCE: Final = f"""
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(void)
{{
    const char *name = getenv("{SWITCH}");
    return name != NULL && access(name, F_OK) == 0;
}}

static int sync_or_fail(long number, int file)
{{
    if (fails()) {{
        errno = EIO;
        return -1;
    }}
    return (int)syscall(number, file);
}}

int fsync(int file) {{ return sync_or_fail(SYS_fsync, file); }}
int fdatasync(int file) {{ return sync_or_fail(SYS_fdatasync, file); }}
"""


class CannotFailSyncs(PaxosError):  # noqa: N818 - it says what cannot be done
    """Syncs cannot be made to fail on this machine; the message says what is missing."""


def syncs_can_fail() -> bool:
    """Tell whether this machine has what it takes: a C compiler."""
    return shutil.which(COMPILER) is not None


def build_failing_sync(folder: Path) -> Path:
    """Compile the library that, loaded first, makes syncs fail on request; return its path.

    Raises:
        CannotFailSyncs: There is no compiler, or it does not manage.

    """
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise CannotFailSyncs(f"syncs are made to fail by a library, and {COMPILER} is missing")
    source, library = folder / "failing_sync.c", folder / "failing_sync.so"
    source.write_text(SOURCE)
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise CannotFailSyncs(f"{COMPILER} cannot build the library: {done.stderr.strip()}")
    return library


def limit_files(pid: int, most: int) -> None:
    """Let no file of a process grow beyond so many bytes, for the rest of its life."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
