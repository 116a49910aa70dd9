from __future__ import annotations

from itertools import pairwise

from paxos.node.rations import FORGOTTEN, PAUSE, REMEMBERED, SHARE, Rations
from paxos.protocol.effects import Supply
from paxos.protocol.learner import PATIENCE
from paxos.replicated.snapshot_messages import FetchPieces, SupplyPieces


def served(rations: Rations, request: Supply | SupplyPieces, times: list[float]) -> list[float]:
    """Return the times at which a request is served when it is asked at these."""
    granted = []
    for now in times:
        if rations.grant(request, now):
            rations.begin(request)
            granted.append(now)
    return granted


def test_a_laggard_that_goes_on_is_served_at_any_speed() -> None:
    rations = Rations()
    for first in range(0, 10_000, 8):
        assert served(rations, Supply("node2", first, first + 255), [first * 1e-6])


def test_an_honest_repetition_is_served() -> None:
    times = [0.0, PATIENCE[0], 3 * PATIENCE[0], 7 * PATIENCE[0]]
    assert served(Rations(), Supply("node2", 0, 255), times) == times


def test_the_same_slots_for_ever_are_served_after_pauses_that_double() -> None:
    asked = [n * 1e-4 for n in range(20_000)]
    granted = served(Rations(), Supply("node2", 0, 255), asked)
    assert len(granted) < 12
    pauses = [after - before for before, after in pairwise(granted)]
    assert pauses == sorted(pauses)
    assert pauses[0] >= PAUSE


def test_the_same_pieces_for_ever_are_limited_too() -> None:
    request = SupplyPieces("node2", FetchPieces(9, bytes(16), (0, 1, 2)))
    assert len(served(Rations(), request, [n * 1e-3 for n in range(2_000)])) < 12


def test_a_request_of_long_ago_is_a_new_one() -> None:
    rations = Rations()
    request = Supply("node2", 0, 255)
    served(rations, request, [n * PAUSE for n in range(50)])
    again = 50 * PAUSE + FORGOTTEN
    assert served(rations, request, [again, again + 2 * PAUSE]) == [again, again + 2 * PAUSE]


def test_nobody_takes_all_the_room() -> None:
    rations = Rations()
    wild = [rations.grant(Supply("node2", first, first), 0.0) for first in range(100)]
    assert wild == [True] * SHARE + [False] * (100 - SHARE)
    assert rations.grant(Supply("node3", 0, 255), 0.0)
    rations.begin(Supply("node2", 0, 0))
    assert rations.grant(Supply("node2", 200, 200), 0.0)


def test_what_is_remembered_is_bounded() -> None:
    rations = Rations()
    for first in range(3 * REMEMBERED):
        served(rations, Supply("node2", first, first), [0.0])
    assert len(rations._granted) == REMEMBERED
    assert not rations._waiting
