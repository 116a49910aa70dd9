"""Every member of a loaded cluster is restarted, one after another, as an upgrade does it."""

from __future__ import annotations

import pytest
import trio
from attrs import define, field

import paxos
from paxos.machines import KeyValueClient
from paxos.testing.linearizability import Handle, Recorder, Register, check
from paxos.testing.processes import LocalCluster

MACHINE = "paxos.machines:KeyValue"
CLIENTS = 4
KEYS = 3

LIMIT = 60.0
"""Seconds within which a cluster that is left alone must answer; it takes one or two."""

FAILOVER = 4 * 4 * paxos.Timing().suspicion
"""Four election timeouts, within which a failover is over: no client may stall for longer."""


@define
class Clients:
    """Clients that read, write and compare and set without a pause, and what they saw."""

    cluster: paxos.Cluster
    recorder: Recorder = field(factory=Recorder)
    longest: float = 0.0
    """The longest that anybody waited for an answer, in seconds."""
    answered: int = 0
    written: dict[str, bytes] = field(factory=dict)
    """By a client's own key, the last value that it was told is there."""
    stop: bool = False

    async def run(self, name: str) -> None:
        """Work until told to stop; an operation that has begun is waited for."""
        async with paxos.open_client(self.cluster) as client:

            async def propose(command: bytes) -> bytes:
                return (await client.propose(command, timeout=LIMIT))[1]

            store = KeyValueClient(propose, client.query)
            number = 0
            while not self.stop:
                number += 1
                began = trio.current_time()
                await self._operate(store, name, number)
                self.longest = max(self.longest, trio.current_time() - began)
                self.answered += 1

    async def _operate(self, store: KeyValueClient, name: str, number: int) -> None:
        key, value = f"shared {number % KEYS}", f"{name} {number}"
        match number % 4:
            case 0:
                await store.put(name, value.encode())
                self.written[name] = value.encode()
            case 1:
                handle = self._begin(name, "read", key)
                item = await store.get(key)
                handle.ok(None if item is None else item.value.decode())
            case 2:
                handle = self._begin(name, "write", key, value)
                await store.put(key, value.encode())
                handle.ok()
            case 3:
                item = await store.get(key)
                before = None if item is None else item.value
                expected = None if before is None else before.decode()
                handle = self._begin(name, "cas", key, [expected, value])
                done = await store.compare_and_set(key, before, value.encode())
                if done.held:
                    handle.ok()
                else:
                    handle.fail()

    def _begin(self, name: str, f: str, key: str, value: object = None) -> Handle:
        return self.recorder.invoke(name, f, key, value)


async def caught_up(cluster: LocalCluster) -> None:
    """Wait until every member has learned all that any had learned when this began."""
    async with cluster.client() as client:
        goal = 0
        with trio.fail_after(LIMIT):
            while True:
                cluster.check()
                statuses = (await client.status(timeout=0.5)).values()
                learned = [-1 if status is None else status.frontier for status in statuses]
                goal = goal or max(learned)
                if min(learned) >= goal:
                    return
                await trio.sleep(0.02)


async def restart_in_turn(nodes: int, rounds: int) -> None:
    async with LocalCluster(nodes, machine=MACHINE) as cluster:
        clients = Clients(cluster.config)
        await caught_up(cluster)
        with trio.fail_after(LIMIT):
            await cluster.leader()
        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(clients.run, f"client {number}")
            for name in cluster.names * rounds:
                before = clients.answered
                assert await cluster.stop(name) == 0
                await cluster.start(name)
                await caught_up(cluster)
                assert clients.answered > before
            clients.stop = True
        async with cluster.client() as client:
            store = KeyValueClient(client.query, client.query)
            for name, value in clients.written.items():
                item = await store.get(name)
                assert item is not None
                assert item.value == value
        assert [await cluster.stop(name) for name in cluster.names] == [0] * nodes
        cluster.compare_logs()
        for name in cluster.names:
            assert "Traceback" not in cluster.said(name)
    verdict = check(clients.recorder.history(), Register(strict_cas=True))
    assert verdict.linearizable
    assert clients.longest < FAILOVER, f"somebody waited for {clients.longest:.2f} s"


async def test_rolling_restart_loses_nothing_and_stalls_nobody_longer_than_a_failover() -> None:
    await restart_in_turn(nodes=3, rounds=1)


@pytest.mark.campaign
@pytest.mark.parametrize("nodes", [3, 5])
async def test_rolling_restarts_again_and_again(nodes: int) -> None:
    await restart_in_turn(nodes, rounds=5)
