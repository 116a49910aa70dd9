"""The billing service: one of several equal processes, of which only the leader charges.

This is what a user of the package writes. Three things together make a charge happen once:

- only the leader of the newest epoch charges. But a deposed leader may not know yet that it is
  deposed, and its last request may still be on its way when the successor begins, so:
- the provider refuses an epoch older than the newest it has seen (the fence), and
- every charge is intended in the log before it is made, under an idempotency key that any
  successor would use again, and its outcome is decided in the log after it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import httpx
import trio

import paxos
from paxos.demo.intents import Answer, Intents, Verdict, done, intend, lead, read_answer
from paxos.demo.subscriptions import Subscription, Subscriptions
from paxos.fencing import EPOCH_HEADER
from paxos.node.lifeline import end_with_parent

PARALLEL: Final = 4
"""How many charges are under way at once."""

RETRY_AFTER: Final = 0.05
"""Seconds before something that failed is tried again."""

PROVIDER_TIMEOUT: Final = 5.0
"""Seconds after which a request to the provider counts as lost."""

T = TypeVar("T")


class DeposedError(Exception):
    """A later epoch has begun: stop, and let its leader carry on."""


class Term:
    """The work of one leadership."""

    def __init__(
        self,
        epoch: int,
        node: paxos.Node,
        subscriptions: Subscriptions,
        provider: httpx.AsyncClient,
    ) -> None:
        self._epoch = epoch
        self._node = node
        self._subscriptions = subscriptions
        self._provider = provider
        self._one_at_a_time = trio.CapacityLimiter(1)

    async def run(self, scope: trio.CancelScope) -> None:
        """Charge everything that is due, until it is done, cancelled or deposed."""
        with scope:
            try:
                await self._bill()
            except* DeposedError:
                pass  # the node will say so, too

    async def _bill(self) -> None:
        still_open = {key for key, _ in (await self._decide(lead(self._epoch))).open}
        due = await self._database(self._subscriptions.due)
        # first what a predecessor may have been charging when it ended
        due.sort(key=lambda subscription: subscription.key not in still_open)
        async with trio.open_nursery() as nursery:
            send, receive = trio.open_memory_channel[Subscription](0)
            for _ in range(PARALLEL):
                nursery.start_soon(self._work, receive)
            async with send:
                for subscription in due:
                    await send.send(subscription)

    async def _work(self, receive: trio.MemoryReceiveChannel[Subscription]) -> None:
        async for subscription in receive:
            await self._settle(subscription)

    async def _settle(self, subscription: Subscription) -> None:
        """Intent, act, outcome; then write the receipt back, which only informs."""
        key = subscription.key
        answer = await self._decide(intend(self._epoch, key, subscription.cents))
        receipt = answer.receipt
        if answer.verdict is Verdict.CHARGE:
            receipt = await self._charge(subscription)
            await self._decide(done(key, receipt))
        await self._database(self._subscriptions.mark_charged, key, receipt)

    async def _decide(self, command: bytes) -> Answer:
        """Have a command decided; each of ours may safely be decided twice."""
        while True:
            try:
                answer = read_answer(await self._node.propose(command))
            except paxos.OutcomeUnknown:
                await trio.sleep(RETRY_AFTER)
                continue
            if answer.verdict is Verdict.DEPOSED:
                raise DeposedError
            return answer

    async def _charge(self, subscription: Subscription) -> str:
        """Charge at the provider; repeat what is lost, for the key makes that harmless."""
        while True:
            try:
                response = await self._provider.post(
                    "/charge",
                    json={
                        "subscription": subscription.subscription,
                        "period": subscription.period,
                        "cents": subscription.cents,
                    },
                    headers={
                        "Idempotency-Key": subscription.key,
                        EPOCH_HEADER: str(self._epoch),
                    },
                )
            except httpx.TransportError:
                await trio.sleep(RETRY_AFTER)
                continue
            if response.status_code == httpx.codes.PRECONDITION_FAILED:
                raise DeposedError
            if response.is_server_error:
                await trio.sleep(RETRY_AFTER)
                continue
            response.raise_for_status()
            return str(response.json()["charge"])

    async def _database(self, call: Callable[..., T], *arguments: str) -> T:
        return await trio.to_thread.run_sync(call, *arguments, limiter=self._one_at_a_time)


async def serve(
    cluster: paxos.Cluster, name: str, data: Path, subscriptions: Subscriptions, provider: str
) -> None:
    """Take part, and work whenever this node leads."""
    async with (
        # no proxy from the environment: the provider is on this machine
        httpx.AsyncClient(base_url=provider, timeout=PROVIDER_TIMEOUT, trust_env=False) as client,
        paxos.open_node(cluster, name, data=data, machine=Intents()) as node,
        trio.open_nursery() as nursery,
    ):
        tell(ready=True)
        scope = trio.CancelScope()
        async for leadership in node.leaderships():
            scope.cancel()
            if leadership is None:
                continue
            tell(leader=leadership.leader, epoch=leadership.epoch)
            if leadership.leader == node.name:
                scope = trio.CancelScope()
                term = Term(leadership.epoch, node, subscriptions, client)
                nursery.start_soon(term.run, scope)


def tell(**what: object) -> None:
    """Tell the story what happened."""
    print(json.dumps(what), flush=True)


def main() -> None:
    """Run one service until its parent ends."""
    parser = argparse.ArgumentParser(description="A billing service that embeds a node.")
    parser.add_argument("--cluster", type=Path, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--subscriptions", type=Path, required=True)
    parser.add_argument("--provider", required=True, help="the provider's URL")
    options = parser.parse_args()
    end_with_parent()
    cluster = paxos.Cluster.load(options.cluster)
    with Subscriptions(options.subscriptions) as subscriptions:
        trio.run(serve, cluster, options.node, options.data, subscriptions, options.provider)


if __name__ == "__main__":
    main()
