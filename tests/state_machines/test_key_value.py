from __future__ import annotations

import pytest

from paxos.errors import CommandFailed
from paxos.machines import (
    Changes,
    Compare,
    Delete,
    Get,
    Item,
    KeyValue,
    KeyValueClient,
    Put,
    Range,
)
from paxos.machines.commands import MAX_VALUE, encode


async def test_value_is_put_got_set_again_and_deleted(client: KeyValueClient) -> None:
    assert await client.get("k") is None
    assert await client.put("k", b"one") == 1
    assert await client.put("other", b"") == 2
    assert await client.put("k", b"two") == 3
    assert await client.get("k") == Item(b"two", created=1, modified=3, version=2)
    assert await client.delete("k") is True
    assert await client.delete("k") is False
    assert await client.get("k") is None
    assert await client.put("k", b"three") == 5
    assert await client.get("k") == Item(b"three", created=5, modified=5, version=1)


async def test_state_is_read_like_a_dict(machine: KeyValue, client: KeyValueClient) -> None:
    for key in ("b", "a", "ab", "c"):
        await client.put(key, key.encode())
    assert list(machine) == ["a", "ab", "b", "c"]
    assert dict(machine) == {"a": b"a", "ab": b"ab", "b": b"b", "c": b"c"}
    assert machine["ab"] == b"ab"
    assert "x" not in machine
    assert machine.get("x", b"-") == b"-"
    assert len(machine) == machine.revision == 4
    with pytest.raises(KeyError):
        machine["x"]
    assert [key for key, _ in machine.range("a")] == ["a", "ab"]
    assert machine.item("a") == Item(b"a", 2, 2, 1)


async def test_value_is_compared_and_set(client: KeyValueClient) -> None:
    assert (await client.compare_and_set("k", None, b"one")).held
    refused = await client.compare_and_set("k", None, b"two")
    assert not refused.held
    assert refused.answers == (Item(b"one", 1, 1, 1),)
    assert refused.revision == 1
    assert (await client.compare_and_set("k", b"one", b"two")).held
    assert (await client.compare_and_set("k", b"two", None)).held
    assert await client.get("k") is None


async def test_transaction_does_all_of_one_branch_in_one_revision(client: KeyValueClient) -> None:
    await client.put("a", b"1")
    await client.put("b", b"2")
    done = await client.transact(
        Compare("a", "value", "=", b"1"),
        Compare("missing", "version", "=", 0),
        then=(Put("a", b"3"), Delete("b"), Get("a"), Range(), Delete("b2")),
    )
    assert done.held
    assert done.revision == 3
    none, deleted, item, page, nothing = done.answers
    assert (none, deleted, nothing) == (None, True, False)
    assert item == Item(b"3", 1, 3, 2)
    assert page is not None
    assert getattr(page, "items", None) == (("a", item),)


@pytest.mark.parametrize(
    ("compare", "held"),
    [
        (Compare("k", "value", "=", b"m"), True),
        (Compare("k", "value", "!=", b"m"), False),
        (Compare("k", "value", "<", b"n"), True),
        (Compare("k", "value", ">", b"n"), False),
        (Compare("k", "value", "=", None), False),
        (Compare("x", "value", "=", None), True),
        (Compare("x", "value", "!=", None), False),
        (Compare("x", "value", "<", b"n"), False),
        (Compare("x", "value", ">", b"n"), False),
        (Compare("k", "created", "=", 2), True),
        (Compare("k", "modified", ">", 2), True),
        (Compare("k", "version", "<", 2), False),
        (Compare("x", "modified", "=", 0), True),
        (Compare("x", "created", "<", 1), True),
    ],
)
async def test_comparison_holds_or_not(
    client: KeyValueClient, compare: Compare, *, held: bool
) -> None:
    await client.put("other", b"")
    await client.put("k", b"l")
    await client.put("k", b"m")
    assert (await client.transact(compare)).held is held


async def test_range_is_read_in_pages_of_keys_in_order(client: KeyValueClient) -> None:
    keys = [f"k{number:03}" for number in range(25)]
    for key in reversed([*keys, "j", "l"]):
        await client.put(key, key.encode())
    found: list[str] = []
    more, after = True, ""
    while more:
        page = await client.range("k", after=after, limit=10)
        found += (key for key, _ in page.items)
        more, after = page.more, found[-1]
    assert found == keys
    assert not (await client.range("none")).more


async def test_range_of_large_values_is_cut_so_that_its_answer_fits(
    machine: KeyValue, client: KeyValueClient
) -> None:
    for number in range(10):
        await client.put(f"k{number}", bytes(MAX_VALUE))
    page = await client.range("k")
    assert page.more
    assert 1 <= len(page.items) <= 2
    assert len(machine.query(encode(Range("k")))) <= 1 << 20


async def test_transaction_whose_answer_is_too_large_changes_nothing(
    machine: KeyValue, client: KeyValueClient
) -> None:
    await client.put("old", bytes(MAX_VALUE))
    before = machine.snapshot()
    with pytest.raises(CommandFailed, match="ask for less"):
        await client.transact(
            then=(Put("new", b"x"), Put("old", b"y" * 400_000), Delete("gone"), Get("old"))
            + (Get("old"),) * 5
        )
    assert machine.snapshot() == before


async def test_what_one_transaction_changes_fits_an_answer(
    machine: KeyValue, client: KeyValueClient
) -> None:
    puts = tuple(Put(f"{number:03}" * 100, bytes(6500)) for number in range(128))
    await client.transact(then=puts)
    answer = machine.query(encode(Changes("", 0)))
    assert len(answer) <= 1 << 20
    changes, last = await client.changes("", 0)
    assert (len(changes), last) == (128, 1)
