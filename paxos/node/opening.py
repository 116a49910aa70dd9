"""How a node is opened: its journal, its transport, and what runs inside of the block."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from paxos.journal import Journal
from paxos.node.cluster import Cluster
from paxos.node.engine import Equipment
from paxos.node.instrument import Instrument
from paxos.node.journal_file import is_quick, open_journal
from paxos.node.key_file import watch_keys
from paxos.node.node import Node
from paxos.node.nursery import open_nursery
from paxos.node.post import Post
from paxos.node.services import Services
from paxos.node.storing import open_storage
from paxos.replicated.admission import JournalDoubted
from paxos.replicated.compaction import Compaction
from paxos.replicated.state import StateMachine
from paxos.transport import UnreliableTransport, open_udp
from paxos.wire import Wire


@asynccontextmanager
async def open_node(
    cluster: Cluster,
    name: str,
    *,
    data: str | os.PathLike[str] | Journal,
    machine: StateMachine,
    transport: UnreliableTransport | None = None,
    instruments: tuple[Instrument, ...] = (),
    compaction: Compaction | None = None,
) -> AsyncIterator[Node]:
    """Take part in a cluster as one of its members, inside the block.

    The node belongs to this process alone: in a fork, every use of it raises `ForkedProcess`, and
    nothing leaves its sockets or comes to its disk. A fork that was made in a Trio task must not go
    on with Trio, whatever it has open: it shares with its parent what that waits for.

    Args:
        cluster: Who the members are.
        name: Which of them this is.
        data: The path of the node's journal, made if missing; or a `Journal`. A damaged journal
            is set aside, and its content asked of the other members.
        machine: What the chosen commands are applied to; fresh, since the newest snapshot is
            restored to it, and the log from there on is replayed.
        transport: A network other than UDP on the member's host and port.
        instruments: Who watches.
        compaction: When this node takes snapshots and lets the log before them go.

    Raises:
        ConfigError: ``name`` is no member.
        JournalError: The journal cannot be used; the text says why.
        OSError: The member's address cannot be bound.
        NameInUse: In the block, inside an exception group: an earlier process of this name lives.

    """
    member = cluster.member(name)

    def tell_damage(what: str) -> None:
        for instrument in instruments:
            instrument.event(JournalDoubted(what))

    if isinstance(data, str | os.PathLike):
        journal = open_journal(data, cluster, name, tell_damage)
    else:
        journal = data
    own_journal = journal is not data
    if journal.doubt:
        tell_damage(journal.doubt)
    try:
        if transport is None:
            transport = await open_udp(member.host, member.port, cluster.datagram_limit)
        wire = Wire(cluster.name, cluster.keys, name, cluster.datagram_limit, trio.current_time)
        post = Post(cluster, name, transport, wire)
        try:
            quick = own_journal and is_quick(journal)
            async with open_storage(journal, quick=quick) as storage:
                equipment = Equipment(
                    cluster, name, machine, journal, storage, post, compaction or Compaction()
                )
                services = Services(equipment, instruments)
                await post.resolve()
                async with open_nursery() as nursery:
                    nursery.start_soon(services.run)
                    if cluster.key_file is not None:
                        nursery.start_soon(watch_keys, cluster.key_file, wire, services.happened)
                    try:
                        yield Node(services)
                    finally:
                        with trio.CancelScope(shield=True):
                            await services.farewell()
                        services.close()
                        nursery.cancel_scope.cancel()
        finally:
            transport.close()
    finally:
        if own_journal:
            journal.close()
