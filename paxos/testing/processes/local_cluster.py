"""A cluster of real processes on this machine, and every way to harm it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final

import trio
from attrs import evolve

from paxos.errors import PaxosError
from paxos.node.client import Client, open_client
from paxos.node.cluster import Cluster, Timing
from paxos.node.nursery import open_nursery
from paxos.replicated.values import Leadership
from paxos.testing.processes.disk import SWITCH, CannotFailSyncs, build_failing_sync, limit_files
from paxos.testing.processes.logs import Log, compare_logs, read_log
from paxos.testing.processes.relay import Link, Relay
from paxos.transport import Address

STORE: Final = "paxos.testing.simulation.store:Store"
"""Registers by name: ``r key``, ``w key value`` and ``c key expected new``."""

LAST_WORDS: Final = 2000
"""How much of a dead member's log an error shows, in bytes."""

FULL: Final = 100_000
"""The most bytes that a file of a member may have whose disk is full; its journal has more soon."""

ASK_AGAIN: Final = 0.05
"""Seconds between two questions to the members, while something is waited for."""


class MemberEnded(PaxosError):  # noqa: N818 - it says what happened
    """A member ended by itself; its last words are in the message."""


class LocalCluster:
    """Members as processes, started inside the block and killed at its end, however it ends.

        async with LocalCluster(nodes=5) as cluster:
            async with cluster.client() as client:
                await client.propose(b"...")
            await cluster.kill("node2")
            cluster.link("node1", "node3").cut()
            await cluster.leader()

    What members say to one another passes a relay in this process, where each link, in each
    direction, can be cut, slowed and spoilt while they run. Clients reach the members directly.

    Args:
        nodes: How many members, called ``node1`` and so on.
        machine: The state machine's class as ``package.module:Class``, imported by each member.
        folder: Where journals and logs go; by default a folder that is removed at the end.
        timing: How patient the members are.
        seed: What the faults of links are drawn from.
        failing_syncs: Whether `fail_syncs` will be used, which needs a C compiler.

    """

    def __init__(
        self,
        nodes: int = 3,
        *,
        machine: str = STORE,
        folder: Path | None = None,
        timing: Timing | None = None,
        seed: int = 0,
        failing_syncs: bool = False,
    ) -> None:
        self._nodes = nodes
        self._machine = machine
        self._given_folder = folder
        self._timing = timing or Timing()
        self._failing_syncs = failing_syncs
        self._relay = Relay(seed)
        self._processes: dict[str, trio.Process] = {}
        self._paused: set[str] = set()
        self._library: Path | None = None
        self._stack = AsyncExitStack()

    folder: Path
    """Where the journals, the members' logs and the cluster's files are."""

    config: Cluster
    """The members at their real addresses, for clients and for the commands of ``paxos``; it is
    also in the file ``cluster.toml``."""

    async def __aenter__(self) -> LocalCluster:
        """Start every member; a leader is still to be elected."""
        async with AsyncExitStack() as stack:
            self.folder = self._given_folder or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="paxos-cluster-"))
            )
            if self._failing_syncs:
                self._library = build_failing_sync(self.folder)
            stack.callback(self._relay.close)
            await self._prepare()
            nursery = await stack.enter_async_context(open_nursery())
            stack.callback(nursery.cancel_scope.cancel)
            stack.push_async_callback(self._kill_all)
            nursery.start_soon(self._relay.run, self._addresses())
            for name in self.names:
                await self.start(name)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Kill whoever still runs."""
        return await self._stack.__aexit__(kind, error, traceback)

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names."""
        return self.config.names

    @property
    def running(self) -> tuple[str, ...]:
        """The members that have a process, paused ones included."""
        return tuple(name for name in self.names if name in self._processes)

    @property
    def paused(self) -> frozenset[str]:
        """The members that are stopped in the middle of whatever they did."""
        return frozenset(self._paused)

    # Processes.

    async def start(self, name: str) -> None:
        """Start a member that does not run; it continues with its journal."""
        assert name not in self._processes, f"{name} runs already"
        environment = dict(os.environ)
        if self._library is not None:
            environment |= {"LD_PRELOAD": str(self._library), SWITCH: str(self._switch(name))}
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = await trio.lowlevel.open_process(
                [
                    *(sys.executable, "-m", "paxos.testing.processes.member"),
                    *("--cluster", str(self._own_folder(name) / "cluster.toml")),
                    *("--node", name, "--data", str(self.journal(name))),
                    *("--machine", self._machine),
                ],
                # its end, which even our own sudden death causes, ends the child
                stdin=subprocess.PIPE,
                stderr=log,
                env=environment,
                # Ctrl-C is for this process alone, which then ends its children. It is a group of
                # this session, so that a paused child is woken, and ends, when we have died.
                process_group=0,
            )

    async def kill(self, name: str) -> None:
        """End a member with SIGKILL: it cannot say goodbye."""
        process = self._forget(name)
        process.kill()
        await _end(process)

    async def stop(self, name: str) -> int:
        """End a member with SIGTERM; return its exit status, which is 0 when all went well."""
        self.resume(name)
        process = self._forget(name)
        process.terminate()
        try:
            return await _end(process)
        finally:
            process.kill()  # where we were cancelled meanwhile

    async def restart(self, name: str) -> None:
        """Kill a member if it runs, and start it again."""
        if name in self._processes:
            await self.kill(name)
        await self.start(name)

    def pause(self, name: str) -> None:
        """Stop a member in the middle of whatever it does (SIGSTOP)."""
        process = self._processes[name]
        process.send_signal(signal.SIGSTOP)
        # The signal takes a moment. If we died in it, the system would see no stopped child that it
        # must wake (see `start`), and the child would stop afterwards, for ever.
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self._paused.add(name)

    def resume(self, name: str) -> None:
        """Let a paused member go on (SIGCONT)."""
        self._processes[name].send_signal(signal.SIGCONT)
        self._paused.discard(name)

    # Links.

    def link(self, source: str, target: str) -> Link:
        """Return the way from one member to another, in this direction only."""
        return self._relay.link(source, target)

    @property
    def links(self) -> Iterator[Link]:
        """Every link."""
        return iter(self._relay)

    def isolate(self, name: str) -> None:
        """Cut all links of a member, both ways."""
        self.split([name])

    def split(self, *groups: Iterable[str]) -> None:
        """Cut all links between groups, both ways; who is in no group is in one with the rest."""
        group_of = {name: number for number, group in enumerate(groups) for name in group}
        for link in self.links:
            if group_of.get(link.source) != group_of.get(link.target):
                link.cut()

    def heal(self) -> None:
        """End all faults of all links."""
        for link in self.links:
            link.heal()

    # Disks.

    def fill_disk(self, name: str) -> None:
        """Let no file of a running member exceed `FULL` bytes: its journal soon meets an error.

        It is a limit of the process, so it ends with it; whoever wants the error of a full device
        puts the cluster's folder on a small one.
        """
        limit_files(self._processes[name].pid, FULL)

    def fail_syncs(self, name: str) -> None:
        """Let every sync of a member report an error from now on, until `mend_syncs`.

        Raises:
            CannotFailSyncs: The cluster was made without ``failing_syncs``.

        """
        if self._library is None:
            raise CannotFailSyncs("say LocalCluster(failing_syncs=True) to be able to fail syncs")
        self._switch(name).touch()

    def mend_syncs(self, name: str) -> None:
        """Let syncs of a member succeed again."""
        self._switch(name).unlink(missing_ok=True)

    def journal(self, name: str) -> Path:
        """Return the path of a member's journal."""
        return self._own_folder(name) / f"{name}.db"

    def said(self, name: str) -> str:
        """Return what a member has said in all its lives: leaders and errors, a line for each."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def compare_logs(self) -> Log:
        """Return the log that all journals agree on; all members must have stopped.

        Raises:
            LogsDiffer: They do not agree.

        """
        assert not self._processes, "stop every member first"
        return compare_logs(
            {name: read_log(self.journal(name), self.config, name) for name in self.names}
        )

    # What the members say.

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Open a client inside the block."""
        async with open_client(self.config) as client:
            yield client

    async def leader(self) -> Leadership:
        """Wait until a quorum agrees on a leader, and return it; bound it with a Trio timeout.

        Raises:
            MemberEnded: A member has ended by itself.

        """
        async with self.client() as client:
            while True:
                self.check()
                statuses = (await client.status(timeout=0.5)).values()
                views = [status.leadership for status in statuses if status is not None]
                for view in views:
                    if view is not None and views.count(view) >= self.config.quorum:
                        return view
                await trio.sleep(ASK_AGAIN)

    async def all_answer(self) -> None:
        """Wait until every member answers clients.

        Raises:
            MemberEnded: A member has ended by itself.

        """
        async with self.client() as client:
            while None in (await client.status(timeout=0.5)).values():
                self.check()
                await trio.sleep(ASK_AGAIN)

    def check(self) -> None:
        """Raise `MemberEnded` if a member has ended by itself."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                words = self.said(name)[-LAST_WORDS:].strip() or "without a word"
                raise MemberEnded(f"{name} ended by itself ({process.returncode}): {words}")

    # Within.

    async def _prepare(self) -> None:
        """Take ports, and tell each member its own address and the relay's ports for the others."""
        names = Cluster.generate(self._nodes).names
        await self._relay.open(names)
        self.config = evolve(Cluster.local(self._nodes), timing=self._timing)
        self.config.save(self.folder / "cluster.toml")
        for name in names:
            self._own_folder(name).mkdir()
            members = tuple(
                member
                if member.name == name
                else evolve(member, port=self._relay.port(name, member.name))
                for member in self.config.members
            )
            evolve(self.config, members=members).save(self._own_folder(name) / "cluster.toml")

    def _addresses(self) -> dict[str, Address]:
        return {member.name: (member.host, member.port) for member in self.config.members}

    def _own_folder(self, name: str) -> Path:
        return self.folder / name

    def _switch(self, name: str) -> Path:
        return self._own_folder(name) / "fail-sync"

    def _forget(self, name: str) -> trio.Process:
        self._paused.discard(name)
        return self._processes.pop(name)

    async def _kill_all(self) -> None:
        with trio.CancelScope(shield=True):
            for name in self.running:
                await self.kill(name)


async def _end(process: trio.Process) -> int:
    """Wait for a process that was told to end; let go of its standard input."""
    status = await process.wait()
    if process.stdin is not None:
        await process.stdin.aclose()
    return status
