"""Nodes whose journals fail or have forgotten something, and what that costs the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import trio
from trio.testing import MockClock

from paxos.journal import JournalError, MemoryJournal
from paxos.protocol.records import Record, Voted
from tests.node.house import TIMEOUTS, House, propose_all, spread

OpenHouse = Callable[..., House]


async def test_node_whose_journal_fails_votes_no_more_and_says_why(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    await house.start()
    first = await house.leader()
    house.journals[first.leader].fail("the disk is full")
    others = [name for name in house.names if name != first.leader]
    with trio.fail_after(TIMEOUTS):
        for name in others:  # the leader fails at the first of them
            await house.node(name).propose(name.encode())
    second = await house.leader(*others)
    assert second.epoch == 2
    status = house.node(first.leader).status(0)
    assert not status.voting
    assert status.why == "the disk is full"
    assert status.leadership == second
    assert await house.node(first.leader).propose(b"through the others") == b"3:through the others"


async def test_two_failed_journals_of_three_stop_the_cluster(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house()
    leader, _ = await house.led()
    others = [name for name in house.names if name != leader]
    for name in others:
        house.journals[name].fail("the disk is full")
    with trio.move_on_after(20) as waiting:
        await house.node(leader).propose(b"x")
    assert waiting.cancelled_caught
    assert house.node(leader).leader is None
    assert "only 1 of 3 members answer" in house.node(leader).status(0).why
    assert not any(house.applied(name) for name in house.names)


class Witness(MemoryJournal):
    """Remembers in which order things were synced."""

    def __init__(self) -> None:
        super().__init__()
        self.voted: set[int] = set()

    def write(self, records: Sequence[Record]) -> None:
        super().write(records)
        self.voted |= {record.slot for record in records if isinstance(record, Voted)}


async def test_cluster_of_one_acknowledges_only_what_is_synced(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = open_house(1)
    journal = Witness()
    house.open_journal = lambda: journal
    await house.start()
    for number in range(5):
        await house.node("node1").propose(b"%d" % number)
        assert house.frontier("node1") - 1 in journal.voted
    journal.fail("the disk is full")
    with trio.move_on_after(10) as waiting:
        await house.node("node1").propose(b"lost")
    assert waiting.cancelled_caught
    assert len(house.applied("node1")) == 5
    assert house.node("node1").leader is None


async def test_decisions_of_a_node_with_a_failed_journal_raise_its_error(
    open_house: OpenHouse,
    autojump_clock: MockClock,
) -> None:
    house = open_house()
    leader, other = await house.led()
    house.journals[other].fail("the disk is full")
    await house.node(leader).propose(b"x")
    with pytest.raises(JournalError, match="the disk is full"), trio.fail_after(10):
        await anext(house.node(other).decisions())


async def forgetful_house(open_house: OpenHouse, doubt: str) -> House:
    """Three nodes with a log, of which node3 has lost its journal, and starts again."""
    house = open_house()
    await house.start()
    await propose_all(house, spread(house, 20))
    await house.agreed()
    await house.crash("node3")
    house.journals["node3"].forget(doubt)
    return house


GONE = "the journal is gone: it had 7 writes"


@pytest.mark.parametrize("doubt", [GONE, ""])
async def test_node_that_forgot_is_readmitted_with_the_help_of_all_others(
    open_house: OpenHouse, autojump_clock: MockClock, doubt: str
) -> None:
    """With or without a witness beside the journal: the others remember the node (schedule 14)."""
    house = await forgetful_house(open_house, doubt)
    await house.start("node3")
    with trio.fail_after(TIMEOUTS):
        while not (status := house.node("node3").status(0)).voting:
            await trio.sleep(0.001)
    assert len(await house.agreed()) == 20
    assert house.journals["node3"].doubt == ""
    await house.crash("node2")
    assert await house.node("node1").propose(b"needs the vote of node3")
    assert status.ballot <= house.node("node3").status(0).ballot


@pytest.mark.parametrize("doubt", [GONE, ""])
async def test_node_that_forgot_learns_and_does_not_vote_while_another_is_down(
    open_house: OpenHouse, autojump_clock: MockClock, doubt: str
) -> None:
    house = await forgetful_house(open_house, doubt)
    await house.crash("node2")
    await house.start("node3")
    with trio.move_on_after(TIMEOUTS) as waiting:
        await house.node("node1").propose(b"would need the vote")
    assert waiting.cancelled_caught
    status = house.node("node3").status(0)
    assert not status.voting
    assert "votes again when node2 answers" in status.why
    assert status.frontier >= 1
    await house.start("node2")
    assert await house.node("node1").propose(b"with node2")
    with trio.fail_after(10 * TIMEOUTS):
        while not house.node("node3").status(0).voting:
            await trio.sleep(0.01)
    await house.agreed()


async def test_doubt_found_by_others_survives_a_restart(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = await forgetful_house(open_house, "")
    await house.crash("node2")
    await house.start("node3")
    await trio.sleep(1)
    await house.crash("node3")
    assert "by another journal" in house.journals["node3"].doubt
    await house.crash("node1")  # which alone remembered
    await house.start("node1", "node3")
    await trio.sleep(1)
    assert not house.node("node3").status(0).voting
    assert "by another journal" in house.node("node3").status(0).why


async def test_person_may_vouch_for_a_member_that_is_gone_for_ever(
    open_house: OpenHouse, autojump_clock: MockClock
) -> None:
    house = await forgetful_house(open_house, GONE)
    await house.crash("node2")
    await house.start("node3")
    await trio.sleep(1)
    assert not house.node("node3").status(0).voting
    house.node("node3").readmit(["node1", "node2"])  # nobody would be left: that is refused
    house.node("node3").readmit(["node2"])
    with trio.fail_after(TIMEOUTS):
        assert await house.node("node1").propose(b"with the vote of node3")
    assert len(await house.agreed()) == 21
