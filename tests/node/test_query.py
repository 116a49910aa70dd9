"""Questions to the state machine of a node: from its own process, and from clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

import paxos
from paxos.journal import MemoryJournal
from paxos.machines import Change, Counter, KeyValue, KeyValueClient
from paxos.node import desk as desk_module
from paxos.node.client import Client
from paxos.replicated.state import StateMachine
from paxos.testing import Network
from tests.node.house import cluster_of


@asynccontextmanager
async def serving(*machines: StateMachine) -> AsyncIterator[tuple[list[paxos.Node], Client]]:
    """A cluster with a node for each machine, and a client of it."""
    network, cluster = Network(1), cluster_of(len(machines))
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        nursery.start_soon(network.deliver)
        nodes = []
        for member, machine in zip(cluster.members, machines, strict=True):
            opening = paxos.open_node(
                cluster,
                member.name,
                data=MemoryJournal(),
                machine=machine,
                transport=network.open((member.host, member.port)),
            )
            nodes.append(await stack.enter_async_context(opening))
        client_transport = network.open(("elsewhere", 1))
        yield nodes, await stack.enter_async_context(paxos.open_client(cluster, client_transport))
        await stack.aclose()
        nursery.cancel_scope.cancel()


def face(client: Client) -> KeyValueClient:
    async def propose(command: bytes) -> bytes:
        return (await client.propose(command))[1]

    return KeyValueClient(propose, client.query)


async def test_what_one_node_wrote_every_node_and_client_reads(autojump_clock: MockClock) -> None:
    async with serving(KeyValue(), KeyValue(), KeyValue()) as (nodes, client):
        stores = [KeyValueClient(node.propose, node.query) for node in nodes] + [face(client)]
        for number, writer in enumerate(stores):
            await writer.put("k", b"%d" % number)
            for reader in stores:
                item = await reader.get("k")
                assert item is not None
                assert item.value == b"%d" % number


async def test_client_watches_from_afar(autojump_clock: MockClock) -> None:
    async with serving(KeyValue(), KeyValue(), KeyValue()) as (nodes, client):
        store = KeyValueClient(nodes[0].propose, nodes[0].query)
        for number in range(3):
            await store.put("k", b"%d" % number)
        watch = face(client).watch("k", since=1)
        assert [await anext(watch) for _ in range(2)] == [
            Change(2, "k", b"1"),
            Change(3, "k", b"2"),
        ]


async def test_error_of_a_question_is_raised_where_it_was_asked(autojump_clock: MockClock) -> None:
    async with serving(KeyValue()) as ((node,), client):
        for ask in (node.query, client.query):
            with pytest.raises(paxos.CommandFailed, match="BadCommand: not a key-value command"):
                await ask(b"hello")


async def test_machine_without_query_answers_no_questions(autojump_clock: MockClock) -> None:
    async with serving(Counter()) as ((node,), client):
        assert await node.propose(b"x") == b"1"
        for ask in (node.query, client.query):
            with pytest.raises(paxos.CommandFailed, match="Counter has no method query"):
                await ask(b"x")


class Verbose(Counter):
    """Says too much."""

    def query(self, question: bytes) -> bytes:
        return bytes((1 << 20) + 1)


async def test_answer_too_large_for_the_wire_is_an_error_and_not_silence(
    autojump_clock: MockClock,
) -> None:
    async with serving(Verbose()) as (_, client):
        with pytest.raises(paxos.CommandFailed, match="may have 1,048,576"):
            await client.query(b"")


async def test_client_that_nobody_answers_says_so(autojump_clock: MockClock) -> None:
    network, cluster = Network(1), cluster_of(3)
    async with paxos.open_client(cluster, network.open(("elsewhere", 1))) as client:
        with pytest.raises(paxos.NoAnswer, match="paxos status"):
            await client.query(b"x", timeout=2)
        with pytest.raises(paxos.CommandTooLarge):
            await client.query(bytes((1 << 20) + 1))


async def test_what_clients_want_beyond_the_bound_is_dropped_counted_and_done_later(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "MAX_UNDER_WAY", 2)
    network, cluster = Network(1), cluster_of(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.deliver)
        answered: list[int] = []

        async def ask(number: int) -> None:
            transport = network.open(("elsewhere", number))
            async with paxos.open_client(cluster, transport) as client:
                await face(client).put(f"k{number}", b"")
                answered.append(number)

        async with paxos.open_node(
            cluster,
            "node1",
            data=MemoryJournal(),
            machine=KeyValue(),
            transport=network.open(("host1", 1)),
        ) as node:
            async with trio.open_nursery() as clients:
                for number in range(20):
                    clients.start_soon(ask, number)
            assert len(answered) == 20
            statistics = node.statistics()
            assert statistics["clients_dropped"] > 0
            assert statistics["clients_under_way"] == statistics["clients_under_way_bytes"] == 0
        nursery.cancel_scope.cancel()
