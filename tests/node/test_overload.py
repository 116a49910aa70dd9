from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
import trio
from trio.testing import MockClock

import paxos
from paxos.node import proposals as module
from paxos.node.desk import GIVE_UP
from paxos.protocol.effects import Effects
from paxos.replicated import pending, sessions
from paxos.replicated.election_decrees import Renew
from paxos.replicated.log_proposer import LogProposer
from paxos.replicated.messages import Query, Submit
from paxos.replicated.values import Command
from tests.node.house import SUSPICION, House

OpenHouse = Callable[..., House]


async def settled_house(open_house: OpenHouse, nodes: int = 3) -> tuple[House, str, str]:
    """A house whose first proposals are over, its leader and another node."""
    house = open_house(nodes)
    return house, *await house.led()


async def test_many_commands_are_proposed_at_once_and_answered_in_their_order(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, leader, other = await settled_house(open_house)
    commands = [b"%d" % number for number in range(3 * module.MAX_IN_FLIGHT)]
    for name in (leader, other):
        house.lives[name].machine.commands.clear()
    answers = await house.node(other).propose_many(commands)
    assert [answer.split(b":")[1] for answer in answers if isinstance(answer, bytes)] == commands
    assert await house.node(other).propose_many([]) == []


async def test_error_of_one_of_many_commands_is_in_its_place(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, leader, _ = await settled_house(open_house)
    first, second, third = await house.node(leader).propose_many([b"a", b"!b", b"c"])
    assert (first, third) == (b"1:a", b"2:c")
    assert isinstance(second, paxos.CommandFailed)
    assert str(second) == "ValueError: !b"


async def test_too_large_one_of_many_commands_lets_none_pass(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, leader, _ = await settled_house(open_house)
    with pytest.raises(paxos.CommandTooLarge):
        await house.node(leader).propose_many([b"a", bytes((1 << 20) + 1)])
    await trio.sleep(1)
    assert house.applied(leader) == []


async def test_many_commands_that_are_cancelled_or_cut_short_leave_nothing_behind(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house, _, other = await settled_house(open_house)
    house.isolate(other)
    with trio.move_on_after(0.1) as cancelled:
        await house.node(other).propose_many([b"x"] * (module.MAX_IN_FLIGHT + 1))
    assert cancelled.cancelled_caught
    statistics = house.node(other).statistics()
    assert statistics["waiting"] == statistics["waiting_bytes"] == 0
    assert statistics["waiting_for_room"] == 0
    async with trio.open_nursery() as nursery:

        async def propose() -> None:
            with pytest.raises(paxos.OutcomeUnknown):
                await house.node(other).propose_many([b"x"] * (module.MAX_IN_FLIGHT + 1))

        nursery.start_soon(propose)
        await trio.sleep(0.1)
        await house.stop(other)


async def test_proposal_that_shall_not_wait_is_refused_where_there_is_no_room(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_IN_FLIGHT", 2)
    house, leader, _ = await settled_house(open_house)
    node = house.node(leader)
    assert await node.propose(b"a", wait=False) == b"1:a"
    async with trio.open_nursery() as nursery:
        for command in (b"b", b"c", b"d"):
            nursery.start_soon(node.propose, command)
        await trio.testing.wait_all_tasks_blocked(0.0)
        with pytest.raises(paxos.Overloaded, match=r"2 commands of 2 bytes.*nothing was proposed"):
            await node.propose(b"e", wait=False)
        assert node.statistics()["refused"] == 1
    assert sorted(await house.agreed()) == [b"a", b"b", b"c", b"d"]


async def test_bytes_under_way_are_bounded_and_who_came_first_goes_first(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_IN_FLIGHT_BYTES", 100)
    house, leader, _ = await settled_house(open_house)
    node = house.node(leader)
    async with trio.open_nursery() as nursery:
        for letter in (b"a", b"b", b"c", b"d"):
            nursery.start_soon(node.propose, letter * 60)
            await trio.testing.wait_all_tasks_blocked(0.0)
        nursery.start_soon(node.propose, b"s" * 50)
        await trio.testing.wait_all_tasks_blocked(0.0)
        assert node.statistics()["waiting_bytes"] == 60
        assert node.statistics()["waiting_for_room"] == 4
    firsts = [command[:1] for command in house.applied(leader)]
    assert firsts == [b"a", b"b", b"c", b"d", b"s"]


async def test_cancelled_waiter_for_room_makes_way_for_who_comes_behind(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_IN_FLIGHT_BYTES", 100)
    house, _, other = await settled_house(open_house)
    node = house.node(other)
    house.isolate(other)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.propose, b"a" * 60)
        await trio.sleep(0.01)
        with trio.move_on_after(0.01):
            async with trio.open_nursery() as first:
                first.start_soon(node.propose, b"b" * 60)
                await trio.sleep(0.001)
                nursery.start_soon(node.propose, b"c" * 10)
                await trio.sleep(0.001)
                assert node.statistics()["waiting"] == 1
        assert node.statistics()["waiting"] == 2
        house.network.heal()


async def test_ten_times_the_load_keeps_leader_and_memory_and_then_ends(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each node has ten times as many callers as it lets through, all the time."""
    monkeypatch.setattr(module, "MAX_IN_FLIGHT", 100)
    monkeypatch.setattr(pending, "MAX_PENDING", 200)
    house, leader, other = await settled_house(open_house)
    answered, numbers = dict.fromkeys(house.names, 0), count()

    async def call(name: str) -> None:
        for _ in range(3):
            await house.node(name).propose(b"%d" % next(numbers))
            answered[name] += 1

    epochs = house.epochs(leader)
    most = 0
    async with trio.open_nursery() as nursery:
        for name in house.names:
            for _ in range(1000):
                nursery.start_soon(call, name)
        while any(house.node(name).statistics()["waiting_for_room"] for name in house.names) or (
            not any(answered.values())
        ):
            statistics = [house.node(name).statistics() for name in house.names]
            assert all(each["waiting"] <= 100 for each in statistics)
            most = max(most, *(each["pending"] for each in statistics))
            await trio.sleep(0.001)
    assert most <= 200 * len(house.names)
    assert answered == dict.fromkeys(house.names, 3000)
    assert house.epochs(leader) == epochs  # nobody took the leader for dead
    start = trio.current_time()
    await house.node(other).propose(b"calm again")
    assert trio.current_time() - start < SUSPICION


async def test_decree_does_not_wait_for_room(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node whose commands are all stuck still renews its leases."""
    monkeypatch.setattr(module, "MAX_IN_FLIGHT", 1)
    house, _, other = await settled_house(open_house)
    house.isolate(other)
    async with trio.open_nursery() as nursery:
        for command in (b"a", b"b"):
            nursery.start_soon(house.node(other).propose, command)
        await trio.testing.wait_all_tasks_blocked(0.0)
        nursery.start_soon(house.services(other).decree, Renew(1, 1_000_000))
        await trio.testing.wait_all_tasks_blocked(0.0)
        assert house.node(other).statistics()["waiting"] == 2
        assert house.node(other).statistics()["waiting_for_room"] == 1
        nursery.cancel_scope.cancel()


async def test_no_command_is_overtaken_by_so_many_that_it_is_never_applied(
    open_house: OpenHouse, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log takes a number far below a session's highest for one that was applied."""
    window = 64
    monkeypatch.setattr(sessions, "SESSION_WINDOW", window)
    monkeypatch.setattr(module, "MAX_AHEAD", window // 2)
    monkeypatch.setattr(module, "MAX_IN_FLIGHT", 16)
    house, leader, _ = await settled_house(open_house)
    node = house.node(leader)
    proposer = house.lives[leader].node._services.roles.proposer
    held: list[Command] = []
    on_adopted = type(proposer).on_adopted

    def hold_up(self: LogProposer, now: float) -> Effects:
        if self is proposer:
            held.extend(c for c in self.adopted.values() if c.data == b"slow")
            self.adopted = {key: c for key, c in self.adopted.items() if c.data != b"slow"}
        return on_adopted(self, now)

    monkeypatch.setattr(LogProposer, "on_adopted", hold_up)
    answers: list[bytes] = []

    async def propose(command: bytes) -> None:
        answers.append(await node.propose(command))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(propose, b"slow")
        await trio.sleep(1)
        for number in range(2 * window):
            nursery.start_soon(propose, b"%d" % number)
        nursery.start_soon(node.propose_many, [b"m%d" % n for n in range(2 * window)])
        await trio.sleep(10)
        assert 0 < len(answers) <= window // 2
        monkeypatch.setattr(LogProposer, "on_adopted", on_adopted)
        node._services.send(held[0])
    assert len(answers) == 2 * window + 1
    assert sum(answer.endswith(b":slow") for answer in answers) == 1


async def test_command_of_a_client_is_let_go_by_a_member_that_is_cut_off(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    """Or it would have it applied again when everybody has forgotten the client."""
    house, _, other = await settled_house(open_house)
    house.isolate(other)
    node = house.node(other)
    desk = node._services.desk
    with trio.fail_after(2 * GIVE_UP):
        async with trio.open_nursery() as nursery:
            desk._take(nursery, "client-1", Submit(1, b"x"))
            desk._take(nursery, "client-1", Query(2, b"x"))
            await trio.sleep(GIVE_UP - 1)
            assert node.statistics()["clients_under_way"] == 2
    assert node.statistics()["clients_under_way"] == node.statistics()["waiting"] == 0
    assert node._services.roles.proposer.own == {}
