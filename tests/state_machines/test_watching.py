from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from paxos.machines import (
    Change,
    Compacted,
    Delete,
    KeyValue,
    KeyValueClient,
    Put,
)
from paxos.machines import store as store_module


async def test_watcher_gets_each_change_of_its_prefix_once_and_in_order(
    machine: KeyValue, client: KeyValueClient
) -> None:
    await client.put("a1", b"before")
    seen: list[Change] = []

    async def watch() -> None:
        async for change in machine.watch("a", since=0):
            seen.append(change)
            if change.key == "aend":
                return

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await client.put("b", b"not mine")
            await client.transact(then=(Put("a2", b"x"), Put("b2", b"y"), Delete("a1")))
            for number in range(1000):
                await client.put(f"a{number % 7}", b"%d" % number)
            await client.delete("none")
            await client.put("aend", b"")
    assert seen[:3] == [Change(1, "a1", b"before"), Change(3, "a2", b"x"), Change(3, "a1", None)]
    assert [change.value for change in seen[3:-1]] == [b"%d" % number for number in range(1000)]
    assert len(seen) == 1004


async def test_watch_without_a_revision_begins_now(
    machine: KeyValue, client: KeyValueClient
) -> None:
    await client.put("k", b"old")
    watch = machine.watch()
    await client.put("k", b"new")
    assert await anext(watch) == Change(2, "k", b"new")


async def test_watch_of_a_revision_that_is_not_reached_waits_for_what_comes_behind(
    machine: KeyValue, client: KeyValueClient
) -> None:
    """So does a watcher whose node has restarted, and is applying the log anew."""
    watch = machine.watch(since=3)
    for number in range(5):
        await client.put("k", b"%d" % number)
    assert [(await anext(watch)).revision for _ in range(2)] == [4, 5]


async def test_watcher_that_is_too_slow_is_told_so(
    machine: KeyValue, client: KeyValueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_CHANGES", 10)
    watch = machine.watch()
    for number in range(11):
        await client.put("k", b"%d" % number)
    assert machine.compacted == 1
    with pytest.raises(Compacted, match="up to revision 1 were compacted") as caught:
        await anext(watch)
    assert caught.value.compacted == 1
    assert (await anext(machine.watch(since=1))).revision == 2
    with pytest.raises(Compacted):
        await anext(client.watch(since=0))
    assert (await anext(client.watch(since=1))).revision == 2


async def test_history_is_bounded_in_bytes(
    machine: KeyValue, client: KeyValueClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_CHANGES_BYTES", 10_000)
    for _ in range(100):
        await client.put("k", bytes(900))
    assert machine.compacted == 90


async def test_remote_watcher_gets_the_same(machine: KeyValue, client: KeyValueClient) -> None:
    seen: list[Change] = []

    async def watch() -> None:
        async for change in client.watch("a", since=0, pause=0.001):
            seen.append(change)
            if change.key == "aend":
                return

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            for number in range(2500):
                await client.put(f"{'ab'[number % 2]}{number}", b"")
            await client.put("aend", b"")
    assert [change.revision for change in seen] == [*range(1, 2501, 2), 2501]


async def test_remote_watch_without_a_revision_begins_when_it_is_first_asked(
    machine: KeyValue, client: KeyValueClient, autojump_clock: MockClock
) -> None:
    await client.put("k", b"old")
    got: list[Change] = []

    async def watch() -> None:
        got.append(await anext(client.watch(pause=0.001)))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await trio.sleep(1)
            await client.put("k", b"new")
    assert got == [Change(2, "k", b"new")]
