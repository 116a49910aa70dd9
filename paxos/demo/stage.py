"""The story's processes: how they start, what they say, how they are killed, how they all end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import trio
from attrs import define, field

from paxos.demo.report import Reign
from paxos.errors import PaxosError

STARTS: Final = 3
"""How often a service is started that ends before it is ready: its port may be taken meanwhile."""

START_AGAIN_AFTER: Final = 0.3
"""Seconds."""

SHOWN: Final = 2000
"""How much of a dead process's log an error shows, in bytes."""


class StageError(PaxosError):
    """A process of the story ended by itself; its last words are in the message."""


@define
class Actor:
    """One life of one process."""

    process: trio.Process
    ready: bool = False
    killed: bool = False
    """Whether the story wanted its end."""

    async def tell(self, word: str) -> None:
        """Say a word to it."""
        assert self.process.stdin is not None
        await self.process.stdin.send_all(word.encode() + b"\n")


@define
class Stage:
    """All processes; they live in ``nursery`` and are killed when it is cancelled."""

    nursery: trio.Nursery
    folder: Path
    announce: Callable[[Reign], None]
    services: dict[str, Actor] = field(factory=dict)
    reigns: dict[tuple[int, str], Reign] = field(factory=dict)
    """Every leadership that was heard of, by epoch and leader."""
    accepted: int = 0
    """The epoch of a charge that was accepted and whose answer the provider holds back."""

    async def provide(
        self, arguments: list[str], task_status: trio.TaskStatus[tuple[Actor, str]]
    ) -> None:
        """Run the provider until its end is wanted; report it and its URL when it listens."""
        provider = Actor(await self._start("provider", "paxos.demo.provider", *arguments))
        async for told in _told(provider.process):
            match told:
                case {"port": port}:
                    task_status.started((provider, f"http://127.0.0.1:{port}"))
                case {"accepted": int(epoch)}:
                    self.accepted = epoch
        await provider.process.wait()
        if not provider.killed:
            raise self._ended("provider")

    async def serve(self, name: str, arguments: list[str]) -> None:
        """Run a service until it is killed; raise `StageError` if it ends by itself."""
        for _ in range(STARTS):
            service = Actor(await self._start(name, "paxos.demo.service", *arguments))
            self.services[name] = service
            async for told in _told(service.process):
                self._hear(service, told)
            await service.process.wait()
            if service.killed:
                return
            if service.ready:
                break
            await trio.sleep(START_AGAIN_AFTER)
        raise self._ended(name)

    def kill(self, name: str) -> None:
        """End a service with SIGKILL: it cannot say goodbye."""
        service = self.services[name]
        service.killed = True
        service.process.kill()

    def pause(self, name: str) -> None:
        """Stop a service with SIGSTOP: it does not know."""
        self.services[name].process.send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a paused service go on, as if nothing had happened."""
        self.services[name].process.send_signal(signal.SIGCONT)

    @property
    def complete(self) -> bool:
        """Whether every service that was started is ready and alive."""
        return all(service.ready and not service.killed for service in self.services.values())

    @property
    def reign(self) -> Reign | None:
        """The newest leadership."""
        return self.reigns[max(self.reigns)] if self.reigns else None

    def _hear(self, service: Actor, told: dict[str, object]) -> None:
        match told:
            case {"ready": True}:
                service.ready = True
            case {"leader": str(leader), "epoch": int(epoch)}:
                if (epoch, leader) not in self.reigns:
                    self.reigns[epoch, leader] = reign = Reign(leader, epoch, time.time())
                    self.announce(reign)

    async def _start(self, name: str, module: str, *arguments: str) -> trio.Process:
        async def deliver_cancel(process: trio.Process) -> None:
            process.kill()

        async def run(task_status: trio.TaskStatus[trio.Process]) -> None:
            with self._log(name).open("ab") as log:
                await trio.run_process(
                    [sys.executable, "-m", module, *arguments],
                    # its end, which even our own sudden death causes, ends the child
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    check=False,
                    deliver_cancel=deliver_cancel,
                    # Ctrl-C is for the story alone, which then ends its children
                    start_new_session=True,
                    task_status=task_status,
                )

        process: trio.Process = await self.nursery.start(run)
        return process

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _ended(self, name: str) -> StageError:
        words = self._log(name).read_bytes()[-SHOWN:].decode(errors="replace").strip()
        return StageError(f"{name} ended by itself: {words or 'without a word'}")


async def _told(process: trio.Process) -> AsyncIterator[dict[str, object]]:
    """Yield each line of JSON that a process prints."""
    assert process.stdout is not None
    rest = b""
    async with process.stdout:
        async for chunk in process.stdout:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield json.loads(line)
