"""The same interface for programs with threads, such as a Flask or Celery worker.

    with paxos.blocking.open_node(cluster, "node1", data="node1.db", machine=Ledger()) as node:
        answer = node.propose(b"...")
        for leadership in node.leaderships(): ...

Each call waits for its answer and may come from any thread; `fail_after` bounds the wait. The node
itself runs Trio in a thread of its own. A process that forks opens its node after the fork.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from functools import wraps
from typing import ParamSpec

import paxos
from paxos.blocking.calls import fail_after, inside
from paxos.blocking.faces import Effects, Election, Node, Term
from paxos.node.hosting import Host

__all__ = ["Effects", "Election", "Node", "Term", "fail_after", "open_node"]

P = ParamSpec("P")


def _opening(
    function: Callable[P, AbstractAsyncContextManager[paxos.Node]],
) -> Callable[P, AbstractContextManager[Node]]:
    @wraps(function)
    @contextmanager
    def opened(*args: P.args, **kwargs: P.kwargs) -> Iterator[Node]:
        host = Host(function(*args, **kwargs), lambda _: None)
        host.start()
        try:
            with inside(host.inside) as node:
                yield Node(host, node)
        finally:
            host.join()

    return opened


open_node = _opening(paxos.open_node)
"""Take part in a cluster inside the block, as `paxos.open_node` does; from any thread.

A program that ends inside of the block leaves it first. The machine and the instruments are called
in the node's thread: a machine that other threads read needs a lock.
"""
