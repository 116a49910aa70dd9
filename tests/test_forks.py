"""Processes that fork while a node is open: a Flask or Celery worker, or `multiprocessing`."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

import paxos
import paxos.aio
import paxos.blocking
from tests.forking import LIMIT, in_fork
from tests.machines import Adder

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def refused(*uses: Callable[[], object]) -> str:
    for number, use in enumerate(uses):
        with pytest.raises(paxos.ForkedProcess, match="open a node in each process"):
            raise AssertionError(f"use {number} returned {use()}")
    return f"{len(uses)} refused"


def test_every_use_in_a_fork_is_refused_and_the_node_leads_on(node: paxos.blocking.Node) -> None:
    election, effects = node.election("billing"), node.effects("billing")
    observed = election.observe()
    next(observed)

    with election.lead() as term:
        epoch = term.epoch

        def use() -> str:
            with pytest.raises(paxos.LeadershipLost, match="a fork of process"):
                term.check()
            return refused(
                lambda: node.propose(b"1"),
                lambda: node.propose_many([b"1"]),
                node.barrier,
                lambda: node.query(b"1"),
                node.compact,
                lambda: next(node.leaderships()),
                lambda: next(node.decisions()),
                node.statistics,
                lambda: node.election("billing"),
                lambda: node.effects("billing"),
                lambda: node.name,
                lambda: node.leader,
                lambda: node.position,
                lambda: node.closed,
                election.leader,
                lambda: election.view,
                election.candidates,
                lambda: election.transfer("node1"),
                lambda: next(election.observe()),
                lambda: next(observed),
                lambda: election.lead().__enter__(),
                effects.open_intents,
                lambda: effects.once("key", lambda _: b"", lambda _: b""),
                lambda: term.proclaim(b"1"),
                lambda: term.valid_for,
            )

        assert in_fork(use) == "25 refused"
        term.check()
        assert node.propose(b"1") == b"1"
    assert epoch == 1


def _work(numbers: Any) -> None:
    numbers.put(6 * 7)


def test_a_worker_of_multiprocessing_does_its_work(node: paxos.blocking.Node) -> None:
    context = multiprocessing.get_context("fork")
    numbers = context.SimpleQueue()
    worker = context.Process(target=_work, args=[numbers])
    worker.start()
    assert numbers.get() == 42
    worker.join(LIMIT)
    assert worker.exitcode == 0
    assert node.propose(b"1") == b"1"


SCRIPT = """
import os, sys, time
import paxos, paxos.blocking
from tests.machines import Adder

def say(text):
    os.write(1, text.encode() + b"\\n")

cluster = paxos.Cluster.load(sys.argv[1])
with paxos.blocking.open_node(cluster, "node1", data=sys.argv[2], machine=Adder()) as node:
    with node.election("billing").lead() as term:
        child = os.fork()
        if child == 0:
            {child}
        else:
            {parent}
"""


def program(tmp_path: Path, child: str, parent: str) -> tuple[list[str], paxos.Cluster, Path]:
    """A program that forks while it leads, and what a second life of its node needs."""
    cluster, data = paxos.Cluster.local(1), tmp_path / "1.db"
    cluster.save(tmp_path / "cluster.toml")
    code = SCRIPT.format(child=child, parent=parent)
    return (
        [sys.executable, "-c", code, str(tmp_path / "cluster.toml"), str(data)],
        cluster,
        data,
    )


def test_a_fork_that_leaves_all_blocks_and_ends_resigns_nothing(tmp_path: Path) -> None:
    command, _, _ = program(
        tmp_path,
        child='say("child")',
        parent="""
            assert os.waitpid(child, 0)[1] == 0
            term.check()
            say(node.propose(b"4").decode())
            assert node.election("billing").leader() == term.leadership
            say("still leads")""",
    )
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == ["child", "4", "still leads"]


def test_a_fork_keeps_neither_port_nor_journal_when_its_parent_is_killed(tmp_path: Path) -> None:
    command, cluster, data = program(
        tmp_path, child="say(str(os.getpid())); time.sleep(60)", parent="time.sleep(60)"
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
        process.wait()
        try:
            with (
                paxos.blocking.fail_after(LIMIT),
                paxos.blocking.open_node(cluster, "node1", data=data, machine=Adder()) as node,
            ):
                assert node.propose(b"3") == b"3"
            os.kill(child, 0)  # it lives still
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_fork_of_an_asyncio_program(tmp_path: Path) -> None:
    async def main() -> None:
        opened = paxos.aio.open_node(
            paxos.Cluster.local(1), "node1", data=tmp_path / "1.db", machine=Adder()
        )
        async with opened as node, node.election("billing").lead() as term:

            def use() -> str:
                with pytest.raises(paxos.LeadershipLost, match="a fork of process"):
                    term.check()
                return refused(
                    lambda: asyncio.run(node.propose(b"1")),
                    node.statistics,
                    lambda: node.leader,
                    lambda: asyncio.run(term.proclaim(b"")),
                )

            assert in_fork(use) == "4 refused"
            term.check()
            assert await node.propose(b"1") == b"1"

    asyncio.run(asyncio.wait_for(main(), LIMIT))


async def test_a_fork_of_a_trio_program_sends_and_writes_nothing(tmp_path: Path) -> None:
    cluster = paxos.Cluster.local(1)
    with trio.fail_after(LIMIT):
        async with paxos.open_node(
            cluster, "node1", data=tmp_path / "1.db", machine=Adder()
        ) as node:
            services = node._services
            election = node.election("billing")

            def use() -> str:
                with pytest.raises(trio.ClosedResourceError):
                    services.post._transport.send(("127.0.0.1", 9), b"datagram")
                with pytest.raises(paxos.PaxosError, match="this one is a fork"):
                    services.journal.write(())
                return refused(
                    node.statistics, lambda: node.leader, lambda: election.view, election.candidates
                )

            assert in_fork(use) == "4 refused"
            assert await node.propose(b"1") == b"1"


def test_a_fork_that_leaves_the_block_of_a_trio_program_does_not_hang(tmp_path: Path) -> None:
    """What it leaves in disorder is Trio's own affair, which its parent shares: so that waits."""
    code = """
import os, sys
import paxos, trio
from tests.machines import Adder

async def main():
    async with paxos.open_node(
        paxos.Cluster.local(1), "node1", data=sys.argv[1], machine=Adder()
    ) as node:
        async with node.election("billing").lead():
            child = os.fork()
            if child:
                os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

trio.run(main)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "1.db")],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert ended.returncode == 1
    assert "paxos.errors.ForkedProcess" in ended.stderr
