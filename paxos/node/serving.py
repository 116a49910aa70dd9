"""One member as a whole process: it takes part until a signal asks it to stop."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Final

import trio

from paxos.journal import JournalError
from paxos.node.cluster import Cluster
from paxos.node.instrument import Instrument
from paxos.node.node import Node
from paxos.node.opening import open_node
from paxos.protocol.events import Event
from paxos.replicated.admission import JournalDoubted, NodeReadmitted
from paxos.replicated.events import Alarm
from paxos.replicated.state import StateMachine

STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""The signals that end a member in order; the last comes when its terminal is closed."""


def heeded(numbers: Iterable[signal.Signals]) -> tuple[signal.Signals, ...]:
    """Leave SIGHUP out where this process was started deaf to it, as `nohup` does."""
    deaf = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return tuple(number for number in numbers if not (deaf and number == signal.SIGHUP))


class Speaker(Instrument):
    """Says what somebody must see to."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def event(self, event: Event) -> None:
        """Say what is wrong, and that it is mended."""
        match event:
            case Alarm():
                self._say(f"Alarm: {event}")
            case JournalDoubted(why):
                self._say(f"does not vote: {why}")
            case NodeReadmitted():
                self._say("votes again: the others have replaced what its journal had forgotten")

    def journal_failed(self, error: JournalError) -> None:
        """Say that this node votes no more, and why."""
        self._say(f"Error: {error}")


async def serve(
    cluster: Cluster, name: str, data: Path, machine: StateMachine, say: Callable[[str], None]
) -> None:
    """Be a member until a signal ends it; say who leads, at every change, and what went wrong.

    Raises what `open_node` does.
    """
    asked_to_stop = trio.Event()
    stopping = heeded(STOPPING)
    for number in stopping:
        # what the receiver restores at its end, so that an impatient second signal is harmless
        # while Trio and the interpreter close down
        signal.signal(number, signal.SIG_IGN)
    with trio.open_signal_receiver(*stopping) as signals:
        async with trio.open_nursery() as outside:
            outside.start_soon(_watch, signals, asked_to_stop)
            async with (
                open_node(
                    cluster, name, data=data, machine=machine, instruments=(Speaker(say),)
                ) as node,
                trio.open_nursery() as inside,
            ):
                inside.start_soon(_tell_leaders, node, say)
                await asked_to_stop.wait()
                # inside the node, so that it still can resign and say so
                inside.cancel_scope.cancel()
            outside.cancel_scope.cancel()


async def _watch(signals: AsyncIterator[int], asked_to_stop: trio.Event) -> None:
    """Take every signal, also while the node closes."""
    async for _ in signals:
        asked_to_stop.set()


async def _tell_leaders(node: Node, say: Callable[[str], None]) -> None:
    async for leadership in node.leaderships():
        say("no leader" if leadership is None else str(leadership))
