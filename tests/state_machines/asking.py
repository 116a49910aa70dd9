"""A client of a machine that is asked without any cluster."""

from __future__ import annotations

import trio

from paxos.errors import CommandFailed
from paxos.machines import (
    KeyValue,
    KeyValueClient,
)


async def propose(machine: KeyValue, command: bytes) -> bytes:
    """What a node does: an error that the machine raises is its answer."""
    await trio.lowlevel.checkpoint()
    try:
        return machine.apply(command)
    except Exception as error:
        raise CommandFailed(f"{type(error).__name__}: {error}") from None


async def query(machine: KeyValue, question: bytes) -> bytes:
    await trio.lowlevel.checkpoint()
    try:
        return machine.query(question)
    except Exception as error:
        raise CommandFailed(f"{type(error).__name__}: {error}") from None


def client_of(machine: KeyValue) -> KeyValueClient:
    return KeyValueClient(
        lambda command: propose(machine, command), lambda question: query(machine, question)
    )
