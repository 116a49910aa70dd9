"""State machines to replicate as they are, and worked examples for those of one's own.

kv = KeyValue()
async with paxos.open_node(cluster, "node1", data="node1.db", machine=kv) as node:
    store = KeyValueClient(node.propose, node.query)
    await store.put("colour", b"red")
    await node.barrier()
    kv["colour"]                                    # b"red", from this node's own memory
    async for change in kv.watch("col", since=0): ...
"""

from paxos.machines.client import KeyValueClient, Page, Polled, Transacted
from paxos.machines.commands import (
    BadCommand,
    Changes,
    Compare,
    Delete,
    Get,
    Put,
    Range,
    Transaction,
)
from paxos.machines.counter import Counter
from paxos.machines.key_value import KeyValue, Watch
from paxos.machines.store import Change, Compacted, Item

__all__ = [
    "BadCommand",
    "Change",
    "Changes",
    "Compacted",
    "Compare",
    "Counter",
    "Delete",
    "Get",
    "Item",
    "KeyValue",
    "KeyValueClient",
    "Page",
    "Polled",
    "Put",
    "Range",
    "Transacted",
    "Transaction",
    "Watch",
]
