"""Runs a function in a fork of this process, and returns what it says."""

from __future__ import annotations

import os
import select
import signal
import traceback
from collections.abc import Callable
from typing import Final

LIMIT: Final = 20.0


def in_fork(function: Callable[[], str]) -> str:
    """Return what the function returns in a fork; fail where that hangs or raises an error.

    Nothing that stands behind the call is ever run in the fork.
    """
    ear, mouth = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = function()
        except BaseException:
            said = traceback.format_exc()
        os.write(mouth, said.encode())
        os._exit(0)
    os.close(mouth)
    heard = b""
    try:
        while select.select([ear], [], [], LIMIT)[0] and (part := os.read(ear, 65536)):
            heard += part
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ear)
    assert heard, "the fork hangs, or died"
    assert b"Traceback" not in heard, heard.decode()
    return heard.decode()
