"""The billing service: one of several equal processes, of which only the leader charges.

This is what a user of the package writes. Three things together make a charge happen once:

- only the leader of the election charges, and its work is cancelled when its lease ends. But it
  may have been paused, and its last request may still be on its way when a successor begins, so:
- the provider refuses an epoch older than the newest it has seen (the fence), and
- every charge is an effect: intended in the log before it is made, under a key that any successor
  would use again, and its outcome is decided in the log after it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import httpx
import trio

import paxos
from paxos.demo.cable import Cable
from paxos.demo.subscriptions import Subscription, Subscriptions
from paxos.fencing import EPOCH_HEADER
from paxos.node.lifeline import end_with_parent
from paxos.transport import open_udp

ELECTION: Final = "billing"

PARALLEL: Final = 4
"""How many charges are under way at once."""

RETRY_AFTER: Final = 0.05
"""Seconds before something that failed is tried again."""

LOOK_AGAIN_AFTER: Final = 0.5
"""Seconds before an idle leader looks for new debts."""

PROVIDER_TIMEOUT: Final = 5.0
"""Seconds after which a request to the provider counts as lost."""

T = TypeVar("T")


class LostError(Exception):
    """A request to the provider, or its answer, was lost: nobody knows what came of it."""


class FencedError(Exception):
    """The provider has seen a later epoch: stop, and let its leader carry on."""


class Nothing:
    """The state machine of a service that keeps nothing in the log but effects."""

    def apply(self, command: bytes) -> bytes:
        """Ignore the command."""
        return b""

    def snapshot(self) -> bytes:
        """Return nothing."""
        return b""

    def restore(self, snapshot: bytes) -> None:
        """Take nothing."""


class Provider:
    """What a leader asks of the payment provider, through a library that blocks, as many do.

    It runs in threads, and a thread cannot be cancelled: what it sends after the term is over, or
    after a pause, is for the provider's fence to stop.
    """

    def __init__(self, http: httpx.Client, invoicing: float) -> None:
        self._http = http
        self._invoicing = invoicing

    async def charge(self, debt: Subscription, intent: paxos.Intent) -> bytes:
        """Charge; raise `LostError` where that may or may not have happened."""
        return await trio.to_thread.run_sync(self._charge, debt, intent)

    async def look_up(self, intent: paxos.Intent) -> bytes | None:
        """Return the receipt if it was charged, whoever did it."""
        return await trio.to_thread.run_sync(self._post, "/look-up", intent, {})

    def _charge(self, debt: Subscription, intent: paxos.Intent) -> bytes:
        time.sleep(self._invoicing)  # writes the invoice: time in which much may happen
        body = {"subscription": debt.subscription, "period": debt.period, "cents": debt.cents}
        receipt = self._post("/charge", intent, body)
        assert receipt is not None, "a charge is never unknown"
        return receipt

    def _post(self, path: str, intent: paxos.Intent, body: object) -> bytes | None:
        headers = {"Idempotency-Key": intent.key, EPOCH_HEADER: str(intent.epoch)}
        try:
            response = self._http.post(path, json=body, headers=headers)
        except httpx.TransportError as error:
            raise LostError from error
        if response.status_code == httpx.codes.PRECONDITION_FAILED:
            raise FencedError
        if response.is_server_error:
            raise LostError
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        response.raise_for_status()
        return str(response.json()["charge"]).encode()


class Term:
    """The work of one leadership."""

    def __init__(
        self, effects: paxos.Effects, subscriptions: Subscriptions, provider: Provider
    ) -> None:
        self._effects = effects
        self._subscriptions = subscriptions
        self._provider = provider
        self._one_at_a_time = trio.CapacityLimiter(1)

    async def run(self) -> None:
        """Charge everything that is due, for as long as this leads."""
        while True:
            await self._bill()
            await trio.sleep(LOOK_AGAIN_AFTER)

    async def _bill(self) -> None:
        begun = {intent.key for intent in await self._effects.open_intents()}
        due = await self._database(self._subscriptions.due)
        # first what a predecessor may have been charging when it ended
        due.sort(key=lambda debt: debt.key not in begun)
        async with trio.open_nursery() as nursery:
            send, receive = trio.open_memory_channel[Subscription](0)
            for _ in range(PARALLEL):
                nursery.start_soon(self._work, receive)
            async with send:
                for debt in due:
                    await send.send(debt)

    async def _work(self, receive: trio.MemoryReceiveChannel[Subscription]) -> None:
        async for debt in receive:
            receipt = await self._settle(debt)
            # written back merely to inform: the log knows
            await self._database(self._subscriptions.mark_charged, debt.key, receipt.decode())

    async def _settle(self, debt: Subscription) -> bytes:
        async def charge(intent: paxos.Intent) -> bytes:
            return await self._provider.charge(debt, intent)

        while True:
            try:
                return await self._effects.once(debt.key, charge, self._provider.look_up)
            except LostError:  # the intent is open, and is asked about next time
                await trio.sleep(RETRY_AFTER)

    async def _database(self, call: Callable[..., T], *arguments: str) -> T:
        return await trio.to_thread.run_sync(call, *arguments, limiter=self._one_at_a_time)


async def campaign(node: paxos.Node, subscriptions: Subscriptions, provider: Provider) -> None:
    """Lead again and again, and charge meanwhile."""
    while True:
        try:
            async with node.election(ELECTION).lead():
                await Term(node.effects(ELECTION), subscriptions, provider).run()
        except* (paxos.LeadershipLost, paxos.NotLeading, FencedError):
            pass  # whoever leads now carries on


async def tell_leaders(node: paxos.Node) -> None:
    """Tell the story who leads, as this node sees it."""
    async for view in node.election(ELECTION).observe():
        if view.leadership is not None:
            tell(leader=view.leadership.leader, epoch=view.leadership.epoch)


def tell(**what: object) -> None:
    """Tell the story what happened."""
    print(json.dumps(what), flush=True)


async def serve(options: argparse.Namespace, subscriptions: Subscriptions) -> None:
    """Take part, and work whenever this node leads."""
    cluster = paxos.Cluster.load(options.cluster)
    member = cluster.member(options.node)
    cable = Cable(await open_udp(member.host, member.port, cluster.datagram_limit))
    end_with_parent(lambda word: setattr(cable, "pulled", word == "cut"))
    # no proxy from the environment: the provider is on this machine
    with httpx.Client(base_url=options.provider, timeout=PROVIDER_TIMEOUT, trust_env=False) as http:
        async with (
            paxos.open_node(
                cluster, options.node, data=options.data, machine=Nothing(), transport=cable
            ) as node,
            trio.open_nursery() as nursery,
        ):
            tell(ready=True)
            nursery.start_soon(tell_leaders, node)
            await campaign(node, subscriptions, Provider(http, options.invoicing))


def main() -> None:
    """Run one service until its parent ends."""
    parser = argparse.ArgumentParser(description="A billing service that embeds a node.")
    parser.add_argument("--cluster", type=Path, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--subscriptions", type=Path, required=True)
    parser.add_argument("--provider", required=True, help="the provider's URL")
    parser.add_argument("--invoicing", type=float, required=True, help="seconds for each invoice")
    options = parser.parse_args()
    with Subscriptions(options.subscriptions) as subscriptions:
        trio.run(serve, options, subscriptions)


if __name__ == "__main__":
    main()
