"""The explorer itself, on models whose states can be counted by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from attrs import Factory, define

from paxos.testing.explorer import explore

Pair = tuple[int, int]


@define
class Counters:
    """Two counters, each of which counts from 0 to ``top`` by itself."""

    top: int = 3
    always: Mapping[str, Callable[[Pair], bool]] = Factory(dict)
    sometimes: Mapping[str, Callable[[Pair], bool]] = Factory(dict)

    def start(self) -> Pair:
        return 0, 0

    def steps(self, state: Pair) -> Iterator[tuple[str, Pair]]:
        left, right = state
        if left < self.top:
            yield "left", (left + 1, right)
        if right < self.top:
            yield "right", (left, right + 1)


def test_every_state_is_visited_once() -> None:
    seen = explore(Counters())
    assert (seen.states, seen.steps, seen.depth) == (16, 24, 6)
    assert seen.complete
    assert seen.holds


def test_cycle_ends() -> None:
    class Clock:
        always: Mapping[str, Callable[[int], bool]] = {}
        sometimes = always

        def start(self) -> int:
            return 0

        def steps(self, hour: int) -> Iterator[tuple[str, int]]:
            yield "tick", (hour + 1) % 12

    assert explore(Clock()).states == 12


def test_violation_comes_with_a_shortest_path() -> None:
    model = Counters(always={"the sum is below three": lambda pair: sum(pair) < 3})
    seen = explore(model)
    assert seen.violation is not None
    assert not seen.complete
    assert not seen.holds
    assert seen.violation.steps == ("left", "left", "left")
    assert str(seen.violation).splitlines()[-2:] == ["  3 left", "  => the sum is below three"]


def test_violation_of_the_first_state_has_an_empty_path() -> None:
    seen = explore(Counters(always={"never": lambda _: False}))
    assert seen.violation is not None
    assert seen.violation.steps == ()
    assert seen.states == 1


def test_sometimes_property_is_witnessed_by_a_shortest_path() -> None:
    model = Counters(sometimes={"right has won": lambda pair: pair == (0, 2)})
    assert explore(model).witnesses["right has won"].steps == ("right", "right")


def test_sometimes_property_that_never_holds_is_reported() -> None:
    model = Counters(sometimes={"five": lambda pair: 5 in pair, "three": lambda pair: 3 in pair})
    seen = explore(model)
    assert seen.unseen == ("five",)
    assert seen.complete
    assert not seen.holds
    assert "never seen: five" in str(seen)


def test_bound_on_states_is_honoured_and_told() -> None:
    seen = explore(Counters(), max_states=7)
    assert seen.states == 7
    assert not seen.complete
    assert not seen.holds
    assert "incomplete" in str(seen)


def test_bound_of_exactly_all_states_is_enough() -> None:
    assert explore(Counters(), max_states=16).complete
