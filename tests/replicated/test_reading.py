from __future__ import annotations

from paxos.protocol import Ballot, Confirm, Confirmed, Effects, Majority, Promise, Proposer, Send
from paxos.protocol.messages import Message
from paxos.replicated.messages import Read, Readable
from paxos.replicated.reading import (
    DETOUR_AFTER,
    FIRST_PAUSE,
    MAX_POINTS,
    RECHECK,
    Reading,
    ReadsReady,
)

THREE = ("a", "b", "c")
B1 = Ballot(1, "a")


def leading() -> Reading:
    proposer = Proposer("a", Majority(THREE))
    proposer.prepare(0)
    for node in ("a", "b"):
        proposer.handle(node, Promise(B1, 0, 0, ()))
    return Reading(proposer, boot=1)


def following() -> Reading:
    return Reading(Proposer("b", Majority(THREE)), boot=3)


def sent(effects: Effects) -> list[tuple[tuple[str, ...], Message]]:
    return [(effect.targets, effect.message) for effect in effects if isinstance(effect, Send)]


def test_leader_answers_all_who_wait_after_one_round() -> None:
    reading = leading()
    reading.begin()
    reading.on_read("b", Read(3, 5))
    reading.on_read("c", Read(1, 2))
    assert sent(reading.pursue(None, 0.0)) == [(THREE, Confirm(B1, 1))]
    assert reading.on_confirmed("a", Confirmed(B1, 1), 0.1) == ()
    effects = reading.on_confirmed("c", Confirmed(B1, 1), 0.1)
    assert sent(effects) == [(("b",), Readable(3, 5, 0)), (("c",), Readable(1, 2, 0))]
    assert effects[-1] == ReadsReady(1)
    assert reading.idle


def test_who_comes_while_a_round_is_under_way_waits_for_the_next() -> None:
    reading = leading()
    reading.on_read("b", Read(3, 5))
    reading.pursue(None, 0.0)
    reading.proposer.propose("written before c asks")
    reading.on_read("c", Read(1, 2))
    assert reading.pursue(None, 0.0) == ()
    reading.on_confirmed("a", Confirmed(B1, 1), 0.1)
    effects = reading.on_confirmed("b", Confirmed(B1, 1), 0.1)
    assert sent(effects) == [(("b",), Readable(3, 5, 0))]
    assert sent(reading.pursue(None, 0.1)) == [(THREE, Confirm(B1, 2))]
    assert reading.on_confirmed("b", Confirmed(B1, 1), 0.2) == ()  # a late answer to the first
    reading.on_confirmed("a", Confirmed(B1, 2), 0.2)
    effects = reading.on_confirmed("b", Confirmed(B1, 2), 0.2)
    assert sent(effects) == [(("c",), Readable(1, 2, 1))]


def test_slots_below_a_read_point_that_another_node_was_told_are_awaited_there() -> None:
    reading = leading()
    reading.proposer.propose("under way")
    for asker, awaited in (("a", 0), ("b", 1)):
        reading.on_read(asker, Read(1, 1))
        reading.pursue(None, 0.0)
        for node in ("a", "b"):
            reading.on_confirmed(node, Confirmed(B1, reading.questions), 0.1)
        assert reading.awaited == awaited


def test_question_that_is_repeated_while_its_round_is_under_way_begins_no_other() -> None:
    reading = leading()
    reading.on_read("b", Read(3, 5))
    reading.pursue(None, 0.0)
    reading.on_read("b", Read(3, 5))
    assert not reading.waiting


def test_reader_waits_until_its_read_point_is_applied() -> None:
    reading = following()
    reading.begin()
    assert sent(reading.pursue("a", 0.0)) == [(("a",), Read(3, 1))]
    assert reading.on_readable(Readable(3, 1, 8), 0.1) == ()
    assert reading.advance(7) == ()
    assert reading.advance(8) == (ReadsReady(1),)
    assert reading.idle


def test_answer_to_an_earlier_life_or_question_is_not_taken() -> None:
    reading = following()
    reading.begin()
    reading.pursue("a", 0.0)
    assert reading.on_readable(Readable(2, 1, 0), 0.1) == ()
    assert reading.on_readable(Readable(3, 0, 0), 0.1) == ()
    assert reading.question is not None
    assert reading.on_readable(Readable(3, 1, 0), 0.1) == (ReadsReady(1),)
    reading.begin()
    reading.pursue("a", 0.2)
    assert reading.on_readable(Readable(3, 1, 0), 0.3) == ()


def test_unanswered_question_is_repeated_later_and_later_and_at_once_for_a_new_leader() -> None:
    reading = following()
    reading.begin()
    assert reading.pursue(None, 0.0) == ()
    assert sent(reading.pursue("a", 1.0)) == [(("a",), Read(3, 1))]
    assert reading.pursue("a", 1.0 + FIRST_PAUSE / 2) == ()
    assert sent(reading.pursue("a", 1.0 + FIRST_PAUSE)) == [(("a",), Read(3, 1))]
    assert reading.pursue("a", 1.0 + 2 * FIRST_PAUSE) == ()
    reading.hurry()
    assert sent(reading.pursue("c", 1.0 + 2 * FIRST_PAUSE)) == [(("c",), Read(3, 1))]


def test_question_that_nobody_answers_goes_to_each_other_member_in_turn() -> None:
    reading = following()
    reading.begin()
    asked = []
    for second in range(8):
        asked += [targets for targets, _ in sent(reading.pursue("a", 2.0 * second))]
    assert asked[:DETOUR_AFTER] == [("a",)] * DETOUR_AFTER
    assert set(asked[DETOUR_AFTER:]) == {("a",), ("c",)}


def test_lost_round_is_asked_again_of_those_that_are_silent() -> None:
    reading = leading()
    reading.begin()
    reading.pursue(None, 0.0)
    reading.on_confirmed("a", Confirmed(B1, 1), 0.0)
    assert reading.pursue(None, FIRST_PAUSE / 2) == ()
    assert sent(reading.pursue(None, FIRST_PAUSE)) == [(("b", "c"), Confirm(B1, 1))]


def test_question_of_a_deposed_leader_goes_to_its_successor() -> None:
    reading = leading()
    reading.begin()
    reading.on_read("c", Read(1, 2))
    reading.pursue(None, 0.0)
    reading.on_confirmed("a", Confirmed(B1, 1), 0.0)
    reading.proposer.stop()
    reading.hurry()
    assert sent(reading.pursue("b", 0.1)) == [(("b",), Read(1, 1))]
    assert reading.on_confirmed("b", Confirmed(B1, 1), 0.1) == ()  # the round is over
    assert sent(reading.on_readable(Readable(1, 1, 9), 0.2)) == [(("c",), Readable(1, 2, 9))]
    assert reading.advance(9) == (ReadsReady(1),)


def test_round_of_a_new_ballot_begins_anew() -> None:
    reading = leading()
    reading.begin()
    reading.pursue(None, 0.0)
    reading.on_confirmed("b", Confirmed(B1, 1), 0.0)
    reading.proposer.prepare(0)
    b2 = Ballot(2, "a")
    for node in ("a", "b"):
        reading.proposer.handle(node, Promise(b2, 0, 0, ()))
    assert sent(reading.pursue(None, 0.0)) == [(THREE, Confirm(b2, 1))]
    assert reading.on_confirmed("c", Confirmed(B1, 1), 0.0) == ()
    assert reading.on_confirmed("b", Confirmed(b2, 1), 0.0) == ()
    assert reading.on_confirmed("c", Confirmed(b2, 1), 0.0) == (ReadsReady(1),)


def test_point_that_was_lost_with_its_leader_is_asked_for_again() -> None:
    """What the old leader had in flight below its read point may never be decided."""
    reading = following()
    reading.begin()
    reading.pursue("a", 0.0)
    reading.on_readable(Readable(3, 1, 64), 0.0)
    assert reading.pursue("c", RECHECK / 2) == ()
    assert sent(reading.pursue("c", RECHECK)) == [(("c",), Read(3, 2))]
    reading.on_readable(Readable(3, 2, 10), RECHECK)
    assert reading.advance(10) == (ReadsReady(1),)


def test_point_of_one_reader_is_not_told_to_another() -> None:
    """An earlier, lower point suffices for this node's own earlier read, and for nobody else's."""
    reading = leading()
    reading.begin()
    reading.pursue(None, 0.0)
    reading.proposer.propose("a")
    reading.on_confirmed("a", Confirmed(B1, 1), 0.0)
    reading.points[1] = 1
    reading.question = None
    reading.waiting.clear()
    for _ in range(3):
        reading.proposer.propose("b")
    reading.on_read("a", Read(1, 1))
    reading.on_read("b", Read(3, 5))
    reading.pursue(None, 0.0)
    reading.on_confirmed("a", Confirmed(B1, 2), 0.0)
    effects = reading.on_confirmed("b", Confirmed(B1, 2), 0.0)
    assert sent(effects) == [(("b",), Readable(3, 5, 4))]
    assert reading.points == {1: 1}


def test_points_of_a_node_that_lags_are_bounded() -> None:
    reading = following()
    for number in range(1, 2 * MAX_POINTS):
        reading.begin()
        reading.pursue("a", 0.0)
        reading.on_readable(Readable(3, number, 1000 + number), 0.0)
    assert len(reading.points) == MAX_POINTS
    assert reading.advance(1000 + 2 * MAX_POINTS) == (ReadsReady(2 * MAX_POINTS - 1),)
