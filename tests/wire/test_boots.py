"""Which lives of a peer are believed, and how clones are found out."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accepted, Message
from paxos.wire import Wire, encode
from paxos.wire.boots import ASK_AGAIN, ASK_RATE, Boot, Boots
from paxos.wire.cbor import array
from paxos.wire.challenges import Challenge, Response, encode_proof
from paxos.wire.introductions import MAX_LAST_WORDS
from tests.wire.links import KEY, acquaint, acquainted, exchange, seal, wire

BALLOT = Ballot(7, "node1")


def accepted(slot: int) -> bytes:
    return encode(Accepted(BALLOT, slot))


def say(source: Wire, target: str, *slots: int) -> list[bytes]:
    return [one for slot in slots for one in source.outgoing(target, [accepted(slot)])]


def replies(target: Wire, *datagrams: bytes) -> list[bytes]:
    """Return what the target sends back; nothing that it heard counts."""
    sent: list[bytes] = []
    for datagram in datagrams:
        incoming = target.incoming(datagram)
        assert incoming is not None
        assert incoming.messages == []
        sent += incoming.replies
    return sent


def slots_of(messages: list[Message]) -> list[int]:
    return [message.slot for message in messages if isinstance(message, Accepted)]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_an_unseen_boot_said_last_counts_after_one_round_trip() -> None:
    source, target = wire("node1"), wire("node2")
    question = replies(target, *say(source, "node2", 1, 2))
    assert len(question) == 1
    (answer,) = replies(source, *question)
    incoming = target.incoming(answer)
    assert incoming is not None
    assert slots_of(incoming.messages) == [2]
    (datagram,) = say(source, "node2", 3)
    incoming = target.incoming(datagram)
    assert incoming is not None
    assert slots_of(incoming.messages) == [3]


def test_a_long_last_word_is_not_said_again() -> None:
    source, target = wire("node1"), wire("node2")
    (datagram,) = source.outgoing("node2", [accepted(1)] * 40)
    assert exchange(source, target, [datagram]) == []
    assert target.statistics()["confirmed"] == 1


def test_both_ends_believe_each_other_after_four_datagrams() -> None:
    one, other = wire("node1"), wire("node2")
    acquaint(one, other)
    for source, target, name in ((one, other, "node2"), (other, one, "node1")):
        incoming = target.incoming(say(source, name, 5)[0])
        assert incoming is not None
        assert slots_of(incoming.messages) == [5]
    counts = one.statistics(), other.statistics()
    assert [count["confirmed"] for count in counts] == [1, 1]
    assert [count["challenged"] for count in counts] == [1, 1]


def test_question_that_is_overtaken_by_an_answer_was_put_with_that_once_more() -> None:
    one, other = wire("node1"), wire("node2")
    (late,) = replies(one, *say(other, "node1", 1))
    question = replies(other, *say(one, "node2", 2))
    (answer,) = replies(one, *question)
    incoming = other.incoming(answer)
    assert incoming is not None
    assert slots_of(incoming.messages) == [2]
    assert other.incoming(late) is None  # nothing counts that was sealed before the answer
    assert slots_of(exchange(other, one, incoming.replies)) == [1]
    assert slots_of(exchange(other, one, say(other, "node1", 3))) == [3]
    assert [end.statistics()["confirmed"] for end in (one, other)] == [1, 1]


def test_a_recording_of_an_earlier_life_is_never_believed() -> None:
    earlier, target = acquainted("node1", "node2")
    recorded = say(earlier, "node2", *range(10))
    later = wire("node1")  # the earlier life is over
    acquaint(later, target)
    for question in replies(target, *recorded):
        assert replies(later, question) == []
    assert target.statistics()["confirmed"] == 2
    assert slots_of(exchange(later, target, say(later, "node2", 11))) == [11]


def test_a_recording_from_before_our_own_restart_is_never_believed() -> None:
    source, before = acquainted("node1", "node2")
    recorded = say(source, "node2", 1, 2, 3)
    exchange(source, before, recorded[:1])
    target = wire("node2")  # it has forgotten what it had opened
    (question,) = replies(target, *recorded[:2])
    answer = replies(source, question)[0]
    incoming = target.incoming(answer)
    assert incoming is not None
    for datagram in recorded:
        assert target.incoming(datagram) is None
    assert target.statistics()["replayed"] == 3
    assert slots_of(exchange(source, target, say(source, "node2", 4))) == [4]


def test_a_recorded_answer_to_an_earlier_question_confirms_nothing() -> None:
    source, before = wire("node1"), wire("node2")
    (question,) = replies(before, *say(source, "node2", 1))
    recorded = replies(source, question)
    assert before.incoming(recorded[0]) is not None
    target = wire("node2")
    replies(target, *recorded)
    assert target.statistics()["confirmed"] == 0


def test_a_question_for_another_life_gets_no_answer() -> None:
    source, target = acquainted("node1", "node2")
    question = array([encode_proof(Challenge(bytes(16), bytes(16)))])
    assert replies(target, seal(source, target, question)) == []


def test_an_answer_that_nobody_asked_for_confirms_nothing() -> None:
    source, target = wire("node1"), wire("node2")
    answer = array([encode_proof(Response(bytes(16)))])
    replies(target, seal(source, target, answer), seal(source, target, answer))
    assert target.statistics()["confirmed"] == 0


def test_a_question_is_put_again_when_it_may_be_lost_and_not_before() -> None:
    clock = Clock()
    source, target = wire("node1"), Wire("billing", KEY, "node2", 1_400, clock)
    assert len(replies(target, *say(source, "node2", *range(20)))) == 1
    clock.now += ASK_AGAIN
    assert len(replies(target, *say(source, "node2", *range(20)))) == 1


def test_a_crowd_of_recorded_boots_is_asked_at_a_bounded_rate() -> None:
    clock = Clock()
    target = Wire("billing", KEY, "node2", 1_400, clock)
    recorded = [say(wire(f"client-{n}"), "node2", 1)[0] for n in range(400)]
    assert len(replies(target, *recorded)) <= ASK_RATE / 10
    assert len(replies(target, *say(wire("node1"), "node2", 1))) == 1  # a member all the same


frames = st.lists(
    st.sampled_from(["challenge", "wrong challenge", "response", "message", "nothing"]),
    max_size=30,
)


@given(st.lists(frames, max_size=30))
@settings(max_examples=50, deadline=None)
def test_an_unconfirmed_boot_is_sent_at_most_three_times_what_it_sent(
    conversation: list[list[str]],
) -> None:
    clock = Clock()
    source, target = wire("node1"), Wire("billing", KEY, "node2", 1_400, clock)
    items = {
        "challenge": encode_proof(Challenge(bytes(16), target._sealer.boot)),
        "wrong challenge": encode_proof(Challenge(bytes(16), bytes(16))),
        "response": encode_proof(Response(bytes(16))),
        "message": accepted(1),
    }
    # The longest last words that it may have for the other.
    target.outgoing("node1", [accepted(1)] * (MAX_LAST_WORDS // len(accepted(1))))
    sent = received = 0
    for kinds in conversation:
        clock.now += ASK_AGAIN
        frame = array([items[kind] for kind in kinds if kind in items])
        datagram = seal(source, target, frame)
        sent += len(datagram)
        received += sum(map(len, replies(target, datagram)))
        assert received <= 3 * sent


def test_a_restart_is_no_clone_whatever_is_late() -> None:
    """The answer of the old life arrives when the new one is believed already."""
    old, target = wire("node1"), wire("node2")
    (question,) = replies(target, *say(old, "node2", 1))
    late_answer = replies(old, question)[0]
    new = wire("node1")
    acquaint(new, target)
    replies(target, late_answer)
    assert slots_of(exchange(new, target, say(new, "node2", 2))) == [2]
    assert target.statistics()["clones"] == 0


@given(st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_restarts_are_no_clones_in_any_order_of_arrival(random: Random) -> None:
    """Lives follow one another; datagrams, questions and answers are late, lost and doubled."""
    clock = Clock()
    target = Wire("billing", KEY, "node2", 1_400, clock)
    to_target: list[bytes] = []
    to_source: list[bytes] = []
    for _ in range(4):
        life = Wire(
            "billing", KEY, "node1", 1_400, clock
        )  # whatever is on its way to an earlier life reaches this one
        for _ in range(random.randrange(12)):
            clock.now += random.choice((0.0, ASK_AGAIN))
            to_target += say(life, "node2", 1)
            for queue, end, back in ((to_target, target, to_source), (to_source, life, to_target)):
                for _ in range(random.randrange(3)):
                    if queue:
                        datagram = queue.pop(random.randrange(len(queue)))
                        incoming = end.incoming(datagram)
                        back += incoming.replies if incoming is not None else []
                        if random.random() < 0.2:
                            queue.append(datagram)
        assert target.statistics()["clones"] == 0
        assert not life.displaced


def converse(target: Wire, clock: Clock, *ends: Wire) -> None:
    """Let each of the ends speak for a while, each hearing what is meant for it alone."""
    for _ in range(5):
        for end in ends:
            clock.now += ASK_AGAIN
            exchange(end, target, say(end, "node2", 1))


def begin_as(end: Wire, boot: bytes) -> None:
    end._sealer.boot = end._introductions._own = boot


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_live_processes_the_one_that_started_later_is_told_to_go(first: int) -> None:
    clock = Clock()
    elder, younger = wire("node1"), wire("node1")
    begin_as(elder, b"1" * 16)
    begin_as(younger, b"2" * 16)
    peers = [Wire("billing", KEY, "node2", 1_400, clock) for _ in range(2)]
    ends = (elder, younger)
    for peer, order in zip(peers, (ends[first:] + ends[:first], ends), strict=True):
        converse(peer, clock, *order)
        assert peer.statistics()["clones"] == 1
    assert (elder.displaced, younger.displaced) == (False, True)
    for peer in peers:
        assert slots_of(exchange(elder, peer, say(elder, "node2", 9))) == [9]
        incoming = peer.incoming(say(younger, "node2", 9)[0])
        assert incoming is not None
        assert incoming.messages == []


def test_the_winner_of_a_name_may_restart() -> None:
    clock = Clock()
    elder, younger, peer = wire("node1"), wire("node1"), Wire("billing", KEY, "node2", 1_400, clock)
    converse(peer, clock, elder, younger)
    again = wire("node1")
    converse(peer, clock, again)
    assert slots_of(exchange(again, peer, say(again, "node2", 9))) == [9]
    assert peer.statistics()["clones"] == 1


def test_a_notice_for_another_life_is_not_for_this_one() -> None:
    one, other = acquainted("node1", "node2")
    boots = Boots()
    boot = Boot("node2", b"x" * 16, displaced_by=b"a" * 16)
    notice = boots.ask(boot, 0.0, answering=False)
    assert notice is not None
    replies(other, seal(one, other, array([encode_proof(notice)])))
    assert not other.displaced
