"""Effects of whole nodes, on virtual time; the provider is a list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

import paxos
from paxos.replicated.effect_decrees import MAX_OUTCOME
from tests.node.hall import Hall

OpenHall = Callable[..., Awaitable[Hall]]


@define
class Provider:
    """Charges once for each key, and may fail before or after."""

    charges: dict[str, bytes] = field(factory=dict)
    asked: list[tuple[str, str, int]] = field(factory=list)
    """What was asked, for which key, under which epoch."""
    fails: str = ""
    at_work: int = 0

    async def act(self, intent: paxos.Intent) -> bytes:
        self.asked.append(("act", intent.key, intent.epoch))
        assert self.at_work == 0, "two acts at once"
        self.at_work += 1
        try:
            await trio.sleep(0.01)
            if self.fails == "before":
                raise ConnectionError("refused")
            receipt = self.charges.setdefault(intent.key, f"receipt of {intent.key}".encode())
            if self.fails == "after":
                raise ConnectionError("reset")
            if self.fails == "hangs":
                await trio.sleep_forever()
            return receipt
        finally:
            self.at_work -= 1

    async def reconcile(self, intent: paxos.Intent) -> bytes | None:
        self.asked.append(("reconcile", intent.key, intent.epoch))
        await trio.sleep(0.01)
        return self.charges.get(intent.key)


@pytest.fixture
def provider() -> Provider:
    return Provider()


async def test_an_effect_happens_once_and_everybody_gets_its_outcome(
    open_hall: OpenHall, autojump_clock: MockClock, provider: Provider
) -> None:
    hall = await open_hall()
    outcomes: list[bytes] = []

    async def charge() -> None:
        effects = hall.house.node("node2").effects("billing")  # each has its own
        outcomes.append(await effects.once("ann/1", provider.act, provider.reconcile))

    async with hall.election("node2").lead() as term:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(charge)
        assert outcomes == [b"receipt of ann/1"] * 5
    async with hall.election("node3").lead():
        effects = hall.house.node("node3").effects("billing")
        assert await effects.once("ann/1", provider.act, provider.reconcile) == outcomes[0]
    assert provider.asked == [("act", "ann/1", term.epoch)]


async def test_different_keys_do_not_wait_for_one_another(
    open_hall: OpenHall, autojump_clock: MockClock
) -> None:
    hall = await open_hall()
    async with hall.election("node1").lead():
        effects = hall.house.node("node1").effects("billing")

        async def slow(_: paxos.Intent) -> bytes:
            await trio.sleep(1)
            return b""

        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(effects.once, str(number), slow, slow)
        assert trio.current_time() - start < 1.5


@pytest.mark.parametrize(("fails", "acts"), [("before", 2), ("after", 1)])
async def test_an_act_that_fails_leaves_its_intent_open_and_is_asked_about_next_time(
    open_hall: OpenHall, autojump_clock: MockClock, provider: Provider, fails: str, acts: int
) -> None:
    hall = await open_hall()
    async with hall.election("node1").lead() as term:
        effects = hall.house.node("node1").effects("billing")
        provider.fails = fails
        with pytest.raises(ConnectionError):
            await effects.once("ann/1", provider.act, provider.reconcile)
        assert await effects.open_intents() == (paxos.Intent("billing", "ann/1", term.epoch),)
        provider.fails = ""
        outcome = await effects.once("ann/1", provider.act, provider.reconcile)
        assert outcome == b"receipt of ann/1"
        assert await effects.open_intents() == ()
    assert [what for what, *_ in provider.asked] == ["act", "reconcile", "act"][: 1 + acts]


async def test_a_successor_finishes_what_a_dead_leader_began(
    open_hall: OpenHall, autojump_clock: MockClock, provider: Provider
) -> None:
    hall = await open_hall()
    provider.fails = "hangs"  # accepted, and the answer never comes

    async def charge() -> None:
        with suppress(paxos.LeadershipLost):
            async with hall.election("node1").lead():
                effects = hall.house.node("node1").effects("billing")
                await effects.once("ann/1", provider.act, provider.reconcile)

    hall.nursery.start_soon(charge)
    while "ann/1" not in provider.charges:
        await trio.sleep(0.01)
    await hall.house.crash("node1")
    provider.fails = ""
    with trio.fail_after(10):
        async with hall.election("node2").lead() as term:
            effects = hall.house.node("node2").effects("billing")
            assert [intent.key for intent in await effects.open_intents()] == ["ann/1"]
            outcome = await effects.once("ann/1", provider.act, provider.reconcile)
    assert outcome == b"receipt of ann/1"
    assert provider.asked == [("act", "ann/1", 1), ("reconcile", "ann/1", term.epoch)]


async def test_only_a_leader_causes_effects(
    open_hall: OpenHall, autojump_clock: MockClock, provider: Provider
) -> None:
    hall = await open_hall()
    async with hall.election("node1").lead():
        effects = hall.house.node("node2").effects("billing")
        await hall.election("node2").leader()
        text = r"node2 does not lead 'billing' \(leader=node1, epoch=1\): nothing was done"
        with pytest.raises(paxos.NotLeading, match=text):
            await effects.once("ann/1", provider.act, provider.reconcile)
    with pytest.raises(paxos.NotLeading, match="nobody"):
        await (
            hall.house.node("node1")
            .effects("billing")
            .once("ann/1", provider.act, provider.reconcile)
        )
    assert provider.asked == []


async def test_a_leader_whose_term_is_over_does_not_act(
    open_hall: OpenHall, autojump_clock: MockClock, provider: Provider
) -> None:
    hall = await open_hall()
    effects = hall.house.node("node1").effects("billing")
    provider.fails = "before"

    async def slow(_: paxos.Intent) -> None:
        hall.house.isolate("node1")
        with trio.CancelScope(shield=True):
            await trio.sleep(2 * hall.lease)

    async def leader() -> None:
        async with hall.election("node1").lead():
            with pytest.raises(ConnectionError):
                await effects.once("ann/1", provider.act, provider.reconcile)
            with pytest.raises(paxos.LeadershipLost):
                await effects.once("ann/1", provider.act, slow)

    with pytest.raises(paxos.LeadershipLost):
        await leader()
    assert [what for what, *_ in provider.asked] == ["act"]


async def test_what_cannot_be_a_key_an_age_or_an_outcome_is_refused(
    open_hall: OpenHall, autojump_clock: MockClock, provider: Provider
) -> None:
    hall = await open_hall(1)
    node = hall.house.node("node1")
    with pytest.raises(paxos.ElectionRefused):
        node.effects("")
    with pytest.raises(ValueError, match="retention must be"):
        node.effects("billing", retention=-1)
    async with hall.election("node1").lead():
        effects = node.effects("billing")
        for key in ("", "k" * 201, "\ud800"):
            with pytest.raises(ValueError, match=r"1 to 200 characters|surrogates"):
                await effects.once(key, provider.act, provider.reconcile)
        with pytest.raises(ValueError, match="a position is 0 or more"):
            await effects.once("ann/1", provider.act, provider.reconcile, since=-1)
        assert provider.asked == []
        for outcome in (None, "text", bytes(MAX_OUTCOME + 1)):

            async def act(_: paxos.Intent, outcome: object = outcome) -> bytes:
                return outcome  # type: ignore[return-value]

            async def unknown(_: paxos.Intent) -> None: ...

            with pytest.raises(TypeError, match="must be at most 4096 bytes"):
                await effects.once("ann/1", act, unknown)
        assert len(await effects.open_intents()) == 1


async def test_a_key_older_than_what_is_remembered_is_refused(
    open_hall: OpenHall,
    autojump_clock: MockClock,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hall = await open_hall(1)
    node = hall.house.node("node1")
    now = 1_700_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    async with hall.election("node1").lead():
        effects = node.effects("billing", retention=3600)
        born = node.position
        await effects.once("ann/1", provider.act, provider.reconcile, since=born)
        now += 7200
        await effects.once("bob/1", provider.act, provider.reconcile, since=born)
        with pytest.raises(paxos.EffectForgotten, match="older than what is remembered"):
            await effects.once("ann/1", provider.act, provider.reconcile, since=born)
        assert [what for what, *_ in provider.asked] == ["act", "act"]
        # nobody says how old it is: so it is asked about
        await effects.once("ann/1", provider.act, provider.reconcile)
        assert provider.asked[-1] == ("reconcile", "ann/1", 1)
