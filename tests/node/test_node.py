from __future__ import annotations

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from paxos.errors import CommandFailed, CommandTooLarge, OutcomeUnknown
from paxos.node import proposals as module
from paxos.protocol.values import NoOp
from paxos.replicated.values import MAX_COMMAND_BYTES
from tests.node.house import TIMEOUTS, House, propose_all, shaky, spread

OpenHouse = Callable[..., House]


async def test_any_node_proposes_and_gets_the_state_machines_answer(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    for number, name in enumerate(house.names, 1):
        assert await house.node(name).propose(name.encode()) == b"%d:%s" % (number, name.encode())
    assert await house.agreed() == [b"node1", b"node2", b"node3"]


async def test_proposals_may_come_before_there_is_a_leader(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    with trio.fail_after(TIMEOUTS):
        answers = await propose_all(house, spread(house, 30))
    assert len(answers) == 30
    assert sorted(await house.agreed()) == sorted(answers)


async def test_concurrent_proposals_share_slots(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, _ = await house.led()
    await propose_all(house, {b"%d" % number: leader for number in range(1000)})
    assert len(house.batches(leader)) < 50
    assert len(house.applied(leader)) == 1000


async def test_commands_are_applied_once_on_a_network_that_loses_doubles_and_reorders(
    open_house: OpenHouse,
    autojump_clock: MockClock,
) -> None:
    house = open_house(3, shaky())
    await house.start()
    with trio.fail_after(60):
        answers = await propose_all(house, spread(house, 200))
    await house.leader()
    await house.node("node1").propose(b"last")
    assert sorted(await house.agreed()) == sorted([*answers, b"last"])


async def test_proposals_survive_crashes_of_leader_after_leader(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(3, shaky(loss=0.1))
    await house.start()
    done: list[bytes] = []

    async def propose(name: str) -> None:
        for number in range(400):
            command = b"%s %d" % (name.encode(), number)
            try:
                await house.node(name).propose(command)
            except OutcomeUnknown:
                await trio.sleep(0.3)
            else:
                done.append(command)

    async with trio.open_nursery() as nursery:
        for name in house.names:
            nursery.start_soon(propose, name)
        for _ in range(6):
            await trio.sleep(0.5)
            leader = (await house.leader()).leader
            await house.crash(leader)
            await trio.sleep(0.25)
            await house.start(leader)
    applied = await house.agreed(20)
    assert set(done) <= set(applied)


async def test_everything_survives_the_crash_of_all(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    answers = await propose_all(house, spread(house, 50))
    before = await house.agreed()
    for name in house.names:
        await house.crash(name)
    await house.start()
    assert (await house.leader()).epoch >= 2
    assert await house.node("node2").propose(b"more") == b"51:more"
    assert await house.agreed() == [*before, b"more"]
    assert sorted(answers) == sorted(before)


async def test_commands_of_an_earlier_life_do_not_hide_those_of_the_next(
    open_house: OpenHouse,
    autojump_clock: MockClock,
) -> None:
    house = open_house()
    await house.start()
    await house.leader()
    for life in range(4):
        assert await house.node("node3").propose(b"life %d" % life)
        await house.crash("node3")
        await house.start("node3")
    assert len(await house.agreed()) == 4


async def test_laggard_catches_up_by_thousands_of_slots(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(3, shaky(loss=0.05))
    leader, laggard = await house.led()
    await house.crash(laggard)
    journal = house.journals[leader]
    with trio.fail_after(300):
        while journal.frontier < 3000:
            for _ in range(40):
                await house.node(leader).propose(b"%d" % journal.frontier * 10)
    await house.start(laggard)
    with trio.fail_after(60):
        await house.node(laggard).propose(b"caught up")
    assert len(house.log(laggard)) > 3000


async def test_state_machines_error_is_raised_and_the_log_goes_on(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    for name in house.names:
        with pytest.raises(CommandFailed, match="ValueError: !no"):
            await house.node(name).propose(b"!no")
    assert await house.node("node1").propose(b"yes") == b"1:yes"


async def test_too_large_command_is_refused_at_once(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start("node1")  # there is no leader, and none is needed
    with pytest.raises(CommandTooLarge, match="1,048,577 bytes"):
        await house.node("node1").propose(bytes(MAX_COMMAND_BYTES + 1))
    with pytest.raises(TypeError, match="not str"):
        await house.node("node1").propose("text")  # type: ignore[arg-type]


async def test_largest_command_passes_in_small_datagrams_that_get_lost(
    open_house: OpenHouse,
    autojump_clock: MockClock,
) -> None:
    house = open_house(3, shaky(), max_datagram=1400)
    _, follower = await house.led()
    command = b"large " + bytes(MAX_COMMAND_BYTES - 6)
    with trio.fail_after(60):
        assert await house.node(follower).propose(command) == b"1:" + command[:20]
    assert await house.agreed(60) == [command]


async def test_many_large_commands_of_a_follower_that_waited_for_a_leader_all_pass(
    open_house: OpenHouse,
    autojump_clock: MockClock,
) -> None:
    """Together they exceed a message, so what is sent again must be cut into several."""
    house = open_house()
    await house.start("node1")
    commands = {b"%d" % n + bytes(MAX_COMMAND_BYTES - 2): "node1" for n in range(5)}

    async with trio.open_nursery() as nursery:
        nursery.start_soon(propose_all, house, commands)
        await trio.sleep(1)
        await house.start("node2")
        await house.start("node3")
        if (await house.leader()).leader == "node1":
            house.isolate("node1")
            await house.leader("node2", "node3")
            house.network.heal()
        nursery.cancel_scope.deadline = trio.current_time() + 30
    assert not nursery.cancel_scope.cancelled_caught
    assert len(await house.agreed()) == 5


async def test_as_many_proposals_as_wait_at_once_are_all_answered(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    """More than fit any inbox, and all in the same turn of the loop."""
    house = open_house()
    count = module.MAX_IN_FLIGHT + 1000
    for name in await house.led():
        with trio.fail_after(30):
            answers = await propose_all(
                house, {b"%s %d" % (name.encode(), n): name for n in range(count)}
            )
        assert len(answers) == count


async def test_proposals_beyond_the_bound_wait_for_room(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_IN_FLIGHT", 5)
    house = open_house()
    await house.start("node1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(propose_all, house, {b"%d" % n: "node1" for n in range(50)})
        await trio.sleep(1)
        assert house.node("node1").statistics()["waiting"] == 5
        await house.start("node2")
        nursery.cancel_scope.deadline = trio.current_time() + TIMEOUTS
    assert not nursery.cancel_scope.cancelled_caught
    assert len(house.applied("node1")) == 50


async def test_cancelled_proposal_makes_room_and_is_not_remembered(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_IN_FLIGHT", 1)
    house = open_house()
    await house.start("node1")
    node = house.node("node1")
    for seconds in (0, 0, 0.001, 1):
        with trio.move_on_after(seconds) as waiting:
            await node.propose(b"x")
        assert waiting.cancelled_caught
    await trio.sleep(1)
    assert node.statistics()["waiting"] == 0
    assert node._services.roles.proposer.own == {}


async def test_closing_a_node_ends_its_proposals_with_an_unknown_outcome(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_IN_FLIGHT", 2)
    house = open_house()
    await house.start("node1")
    node = house.node("node1")
    said: list[str] = []

    async def propose() -> None:
        with pytest.raises(OutcomeUnknown) as raised:
            await node.propose(b"x")
        said.append(str(raised.value))

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(propose)
        await trio.sleep(1)
        await house.stop("node1")
    assert sum("may or may not be applied" in text for text in said) == 2
    assert sum("was not proposed" in text for text in said) == 2
    with pytest.raises(OutcomeUnknown, match="was not proposed"):
        await node.propose(b"too late")


async def test_decisions_are_every_command_once_from_a_slot_on(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(3, shaky())
    await house.start()
    seen: list[tuple[int, bytes]] = []

    async def watch() -> None:
        async for decision in house.node("node2").decisions():
            seen.append(decision)
            if decision[1] == b"last":
                break

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await propose_all(house, spread(house, 60))
        await house.node("node1").propose(b"last")
    assert [command for _, command in seen] == house.applied("node2")
    assert [slot for slot, _ in seen] == sorted(slot for slot, _ in seen)
    middle = seen[30][0]
    later = house.node("node2").decisions(middle)
    rest = [decision for decision in seen if decision[0] >= middle]
    assert [await anext(later) for _ in rest] == rest


async def test_new_leader_fills_gaps_with_no_ops_that_change_nothing(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(3, shaky(loss=0.3), window=8)
    await house.start()
    for _ in range(5):
        leader = (await house.leader()).leader
        async with trio.open_nursery() as nursery:
            for number in range(20):
                await trio.sleep(0.001)
                nursery.start_soon(
                    house.node(leader).propose, b"%f %d" % (trio.current_time(), number)
                )
            nursery.cancel_scope.cancel()
        await house.crash(leader)
        await house.leader()
        await house.start(leader)
    await house.leader()
    with trio.fail_after(TIMEOUTS):
        await house.node("node1").propose(b"last")
    await house.agreed()
    assert all(isinstance(value, NoOp) or value for value in house.log("node1"))
