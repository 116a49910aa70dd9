"""A guarded command, as the node's process sees it; see `paxos.cli.guardian`."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import trio
from attrs import define, field

from paxos.cli import guardian
from paxos.errors import PaxosError
from paxos.node.term import Term

GUARDIAN: Final = Path(guardian.__file__)


class CommandNotStarted(PaxosError):  # noqa: N818 - it says what became of the command
    """The command of ``paxos elect`` cannot be run."""


def lease_end(term: Term) -> float:
    """Return when a term ends, as the guardian counts: its clock goes on in a suspended machine.

    It is looked at first: a stop before the others are makes the end too early, which is harmless.
    """
    guardians = guardian.now()
    valid_until = term.valid_until
    return guardians + valid_until - trio.current_time()


@define
class Ward:
    """A command under guard; comes from `open_ward`."""

    _process: trio.Process
    _control: trio.SocketStream
    _speaking: trio.Lock = field(factory=trio.Lock)
    _started: trio.Event = field(factory=trio.Event)
    _over: trio.Event = field(factory=trio.Event)
    _group: int = 0
    """The command's process group, when it has one."""
    status: int | None = None
    """The command's exit status when it has ended, negative for a signal."""
    error: str = ""
    """Why it could not be started."""
    left: int = 0
    """How many processes that it started could not be ended."""
    ending: bool = False
    """Whether it was told to end, by whomever, and did not end by itself."""

    async def run(
        self, words: Sequence[str], environment: dict[str, str], grace: float, until: float
    ) -> None:
        """Start the command; raise `CommandNotStarted` when that is not possible."""
        await self._tell(f"run {grace} {until} {json.dumps([list(words), environment])}")
        await self._started.wait()
        if self.error:
            raise CommandNotStarted(f"{words[0]} cannot be run: {self.error}")

    async def renew(self, until: float) -> None:
        """Say that the lease lasts until then, by the guardian's clock."""
        await self._tell(f"until {until}")

    async def signal(self, number: int) -> None:
        """Pass a signal on, when the command has started."""
        await self._started.wait()
        await self._tell(f"signal {number}")

    async def stop(self, number: int, seconds: float) -> None:
        """Ask the command to end by a signal, and kill it after so many seconds."""
        self.ending = True
        await self._started.wait()
        await self._tell(f"stop {number} {seconds}")

    async def ended(self) -> None:
        """Wait until the command has ended, with all that it started."""
        await self._over.wait()

    async def _tell(self, line: str) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with self._speaking:  # a signal may come while the lease is renewed
                await self._control.send_all(line.encode() + b"\n")

    async def listen(self) -> None:
        """Hear what the guardian says, until it is gone."""
        unread = b""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for heard in self._control:
                *lines, unread = (unread + heard).split(b"\n")
                for line in lines:
                    self._hear(*line.decode(errors="replace").split(" ", 1))
        self._started.set()
        self._over.set()

    def _hear(self, word: str, rest: str = "") -> None:
        match word:
            case "started":
                self._group = int(rest)
                self._started.set()
            case "failed":
                self.error = rest
                self._started.set()
            case "ending":
                self.ending = True
            case "left":
                self.left = int(rest)
            case "ended":
                self.status = int(rest)

    async def end(self) -> None:
        """End everything at once, and wait for that, whatever happens; harmless to repeat."""
        with trio.CancelScope(shield=True):
            await self._control.aclose()
            with trio.move_on_after(guardian.GIVE_UP + 1):
                await self._process.wait()
            if self._process.returncode != 0:  # it was killed, or is stopped
                self._process.kill()
                await self._process.wait()
                self._kill_group()

    def _kill_group(self) -> None:
        if self._group and self.status is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)


@asynccontextmanager
async def open_ward() -> AsyncIterator[Ward]:
    """Have a guardian ready inside the block; whatever it guards has ended after the block."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = await trio.lowlevel.open_process(
            # isolated and without site packages: it starts in a moment, and in any surroundings
            [sys.executable, "-I", "-S", str(GUARDIAN), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    ward = Ward(process, trio.SocketStream(trio.socket.from_stdlib_socket(ours)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ward.listen)
        try:
            yield ward
        finally:
            await ward.end()
            nursery.cancel_scope.cancel()
