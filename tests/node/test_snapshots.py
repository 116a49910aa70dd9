from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

import pytest
import trio
from trio.testing import MockClock

from paxos.errors import LogCompacted, OutcomeUnknown
from paxos.journal import JournalError
from paxos.protocol.messages import Message
from paxos.replicated.compaction import Compaction
from paxos.replicated.messages import Propose
from paxos.replicated.snapshot import PIECE_BYTES
from paxos.replicated.snapshot_messages import SnapshotPiece
from tests.node.house import SUSPICION, TIMEOUTS, House, shaky

OpenHouse = Callable[..., House]

OFTEN = Compaction(slots=10)
NUMBERS = count()


async def propose(house: House, name: str, times: int, size: int = 0) -> None:
    for _ in range(times):
        await house.node(name).propose(b"%d " % next(NUMBERS) + b"x" * size)


async def settled(house: House, name: str) -> None:
    """Let what was learned and saved reach the journal."""
    await house.node(name).compact()


async def test_log_is_compacted_as_it_grows_on_every_node(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(compaction=OFTEN)
    await house.start()
    await propose(house, "node1", 100)
    await house.agreed()
    for name in house.names:
        journal, statistics = house.journals[name], house.node(name).statistics()
        assert journal.frontier - journal.first <= 30
        assert statistics["first"] == journal.first > 60
        assert statistics["snapshots_saved"] >= 8


async def test_bytes_of_commands_make_a_snapshot_due_too(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(compaction=Compaction(log_bytes=100_000))
    await house.start()
    await propose(house, "node1", 3, 30_000)
    assert house.node("node1").statistics()["snapshots_saved"] == 0
    await propose(house, "node1", 1, 30_000)
    await trio.sleep(1)
    assert house.node("node1").statistics()["snapshots_saved"] == 1


async def test_large_snapshot_is_not_taken_again_before_the_log_is_as_large(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(compaction=Compaction(log_bytes=100_000))
    await house.start()
    await propose(house, "node1", 40, 30_000)  # the state is the log, so each is twice as large
    await trio.sleep(1)
    assert house.node("node1").statistics()["snapshots_saved"] in (3, 4)


async def test_restarted_node_goes_on_from_its_snapshot(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(compaction=OFTEN)
    await house.start()
    await propose(house, "node1", 50)
    before = await house.agreed()
    for name in house.names:
        await settled(house, name)
        await house.crash(name)
    await house.start()
    assert await house.agreed() == before
    assert await house.node("node2").propose(b"more") == b"51:more"


async def test_node_that_was_away_too_long_gets_a_snapshot_and_then_the_log(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(compaction=OFTEN)
    await house.start()
    await propose(house, "node1", 5)
    await house.crash("node3")
    await propose(house, "node1", 100)
    await house.start("node3")
    await propose(house, "node2", 5)
    assert len(await house.agreed(TIMEOUTS)) == 110
    assert house.node("node3").statistics()["snapshots_installed"] == 1
    assert house.journals["node3"].first > 60


async def test_node_that_was_away_shortly_needs_no_snapshot(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(compaction=OFTEN)
    await house.start()
    await propose(house, "node1", 25)
    await house.crash("node3")
    await propose(house, "node1", 9)
    await house.start("node3")
    assert len(await house.agreed(TIMEOUTS)) == 34
    assert house.node("node3").statistics()["snapshots_installed"] == 0


async def test_large_snapshot_arrives_through_a_bad_network_while_commands_go_on(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(faults=shaky(loss=0.05), max_datagram=60_000, compaction=OFTEN)
    await house.start("node1", "node2")
    await propose(house, "node1", 90, PIECE_BYTES)
    await house.start("node3")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(propose, house, "node2", 20)
        with trio.fail_after(60):
            while house.node("node3").statistics()["snapshots_installed"] == 0:
                await trio.sleep(0.01)
    await house.agreed(60)
    assert house.node("node3").statistics()["snapshot_bytes"] > 50 * PIECE_BYTES


async def test_another_node_goes_on_when_the_sender_of_a_snapshot_dies(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(nodes=5, faults=shaky(loss=0.3), max_datagram=60_000, compaction=OFTEN)
    await house.start("node1", "node2", "node3", "node4")
    await propose(house, "node1", 90, PIECE_BYTES)
    await house.start("node5")
    learner = house.services("node5").roles.learner
    with trio.fail_after(60):
        while learner.fetching is None or not learner.fetching.arrived:
            await trio.sleep(0.001)
        source = learner.fetching.source
        await house.crash(source)
        while learner.learner.frontier < 90:
            await trio.sleep(0.01)
    assert len(await house.agreed(60)) == 90


async def test_progress_of_a_snapshot_is_told(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(max_datagram=60_000, compaction=OFTEN)
    await house.start("node1", "node2")
    await propose(house, "node1", 90, PIECE_BYTES)
    await house.start("node3")
    seen: set[int] = set()
    while house.node("node3").statistics()["snapshots_installed"] == 0:
        statistics = house.node("node3").statistics()
        if statistics["fetching_bytes"]:
            assert statistics["fetched_bytes"] <= statistics["fetching_bytes"]
            seen.add(statistics["fetched_bytes"])
        await trio.sleep(0.0005)
    assert len(seen) > 3
    assert house.node("node3").statistics()["fetching_bytes"] == 0


async def test_decisions_begin_at_any_slot_that_is_kept_and_know_repetitions(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(compaction=OFTEN)
    await house.start()
    await propose(house, "node1", 60)
    await house.agreed()
    node, first = house.node("node2"), house.journals["node2"].first
    old = house.services("node1").roles.office.session
    # a command from before the snapshot, proposed again as if its answer had been lost
    node1 = house.node("node1")
    repeated = next(
        command
        for slot, value in house.slots("node1").items()
        for command in getattr(value, "commands", ())
        if command.session == old
    )
    leader = await house.leader()
    house.services(leader.leader).post.deliver("node1", Propose((repeated,), 0))
    await node1.propose(b"last")
    decided = []
    async for slot, command in node.decisions(first + 3):
        decided.append(command)
        assert slot >= first + 3
        if command == b"last":
            break
    assert decided.count(repeated.data) <= 1
    assert decided == house.applied("node2")[-len(decided) :]


async def test_decisions_from_a_compacted_slot_are_an_error_that_says_so(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(compaction=OFTEN)
    await house.start()
    await propose(house, "node1", 60)
    first = house.journals["node1"].first
    with pytest.raises(LogCompacted, match=f"begins at slot {first}") as caught:
        await anext(house.node("node1").decisions())
    assert caught.value.first == first


async def test_command_whose_application_was_jumped_over_is_reported_and_not_applied_again(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(compaction=OFTEN)
    await house.start()
    await propose(house, "node1", 5)
    leader = (await house.leader()).leader
    (away, other) = [name for name in house.names if name != leader]
    outcome: list[str] = []

    async def propose_and_lose_the_answer() -> None:
        try:
            await house.node(away).propose(b"once")
        except OutcomeUnknown as error:
            outcome.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(propose_and_lose_the_answer)
        await trio.testing.wait_all_tasks_blocked()
        while b"once" not in house.applied(leader):
            # it may speak, and hears nothing
            house.network.cut(house.address(leader), house.address(away))
            house.network.cut(house.address(other), house.address(away))
            await trio.sleep(0.01)
        await propose(house, leader, 100)
        house.network.heal()
    assert outcome
    assert "no longer known" in outcome[0]
    assert house.node(away).statistics()["snapshots_installed"] == 1
    assert (await house.agreed(TIMEOUTS)).count(b"once") == 1


async def test_compact_returns_when_the_snapshot_is_on_the_disk(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    await propose(house, "node1", 5)
    position = await house.node("node1").compact()
    assert position == house.frontier("node1")
    assert house.journals["node1"].snapshots[-1].position == position
    assert await house.node("node1").compact() == position


async def test_compact_with_a_failed_journal_says_so(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    await propose(house, "node1", 5)
    house.journals["node1"].fail("the disk is full")
    with pytest.raises(JournalError, match="the disk is full"):
        await house.node("node1").compact()


async def test_cluster_recovers_when_every_node_restarts_while_one_fetches(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(max_datagram=60_000, compaction=OFTEN)
    await house.start("node1", "node2")
    await propose(house, "node1", 90, PIECE_BYTES)
    await house.start("node3")
    learner = house.services("node3").roles.learner
    while learner.fetching is None or len(learner.fetching.arrived) < 5:
        await trio.sleep(0.001)
    for name in house.names:
        await house.crash(name)
    assert house.journals["node3"].snapshots == ()
    await house.start()
    assert await house.node("node3").propose(b"more")
    assert len(await house.agreed(TIMEOUTS)) == 91


async def test_leader_that_waits_for_a_snapshot_makes_room_for_one_that_needs_none(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes: the next behind a lost leader may be far behind in the log, too."""
    house = open_house(compaction=OFTEN)
    leader, _ = await house.led()
    first, second = (house.names[(house.names.index(leader) + n) % 3] for n in (1, 2))
    house.isolate(first)
    await propose(house, leader, 100)
    for name in (leader, second):
        post = house.services(name).post
        monkeypatch.setattr(post, "send", partial(send_no_piece, post.send))
    house.network.heal()
    await house.leader()
    await house.crash(leader)
    with trio.fail_after(4 * SUSPICION):
        await propose(house, second, 1)
    assert house.node(second).position > 100 > house.node(first).position


def send_no_piece(
    send: Callable[[tuple[str, ...], Message], None], targets: tuple[str, ...], message: Message
) -> None:
    if not isinstance(message, SnapshotPiece):
        send(targets, message)
