"""The roles of `paxos.protocol` as a model to explore: all orders, losses, duplications, crashes.

Nothing of the protocol is written again here: each step thaws a role, calls its handler and carries
the effects out, and `ROUTES` tells which role hears which message. The roles of one node take their
steps apart, as the tasks of a real node do; what its learner tells the others is a fact as well.

A state is a tuple of small integers: for each role a number that stands for its `Local`, then the
number of crashes so far, then the set of `Facts`. What a role can do depends on its `Local` and on
the facts that concern it, and is computed once for each such pair: that makes exploring fast.

Two reductions are used; both rest on messages staying under way for ever. A step is *silent* if
it adds no fact and changes nothing durable: a proposer notes a promise that completes no quorum, a
learner counts a vote. Nobody else can tell whether a silent step was made, nothing can prevent it
later (messages stay, and a role changes by its own steps alone), and a crash undoes it. So silent
steps are explored only right before a step of the same role that is not silent; there, all orders
of all choices of them are.

And an *answer* that leaves its role as it was (a refusal, a promise given again, a value taught) is
given at once and not listed among the steps. Whether it arrives is still open; that more is under
way forbids nothing, and whatever is wrong with fewer facts is wrong with more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any, TypeAlias

from attrs import evolve, frozen

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.learner import Learner
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Record
from paxos.replicated.routing import Role
from paxos.testing.facts import Fact, Facts, Restarted, Told
from paxos.testing.freezing import freeze, thaw
from paxos.testing.role_steps import (
    Action,
    Budget,
    Local,
    carry_out,
    concerns,
    hear,
    learner_acts,
    proposer_acts,
)

State: TypeAlias = tuple[int, ...]
"""By seat a number for the local state; the number of crashes; the set of facts."""


@frozen
class Size:
    """How much is explored. Every node has an acceptor."""

    nodes: tuple[str, ...] = ("a", "b", "c")
    proposers: tuple[Budget, ...] = (Budget("a"), Budget("b"))
    learners: tuple[str, ...] = ()
    """Which nodes have a learner."""
    slots: int = 1
    crashes: int = 0
    """How many crashes there may be in all."""
    fragile: tuple[str, ...] = ("a", "b", "c")
    """Which nodes may crash."""


@frozen
class Move:
    """A step of a role, with the silent steps before it."""

    words: str
    local: int
    facts: int
    crash: bool = False
    """Whether the node crashes in the midst of it; then only the disk in `local` matters."""


@frozen
class Restart:
    """What may be left of a node after a crash: by seat the new local states, and new facts."""

    words: str
    locals: dict[int, int]
    facts: int


class PaxosModel:
    """All runs of a small cluster; for its properties see `paxos_properties`."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.quorums = Majority(size.nodes)
        self.facts = Facts()
        self.seats: list[tuple[str, Role]] = [(node, "acceptor") for node in size.nodes]
        self.seats += [(budget.node, "proposer") for budget in size.proposers]
        self.seats += [(node, "learner") for node in size.learners]
        self._budgets = {budget.node: budget for budget in size.proposers}
        self.locals: list[Local] = []
        self.always: dict[str, Callable[[State], bool]] = {}
        self.sometimes: dict[str, Callable[[State], bool]] = {}
        self._numbers: dict[Local, int] = {}
        self._heard = [self.facts.scope(concerns(*seat)) for seat in self.seats]
        self._known = [self.facts.scope(concerns(*seat)) for seat in self.seats]
        """What a role may hear, and besides what it has itself brought about."""
        self._moves: list[dict[tuple[int, int], list[Move]]] = [{} for _ in self.seats]
        self._single: list[dict[tuple[int, int], list[Move]]] = [{} for _ in self.seats]
        self._answers: list[dict[tuple[int, int], int]] = [{} for _ in self.seats]
        self._restarts: dict[tuple[int, ...], list[Restart]] = {}

    def start(self) -> State:
        """Return the state in which nothing has happened."""
        fresh = (self._number(Local(freeze(self._newborn(*seat)))) for seat in self.seats)
        return (*fresh, 0, 0)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Return every step that is not silent."""
        past, known = state[-1], self._known
        may_crash = state[-2] < self.size.crashes
        for seat, table in enumerate(self._moves):
            key = (state[seat], past & known[seat].mask)
            moves = table.get(key)
            if moves is None:
                moves = table[key] = list(self._moves_of(seat, *key))
            for move in moves:
                after = (*state[:seat], move.local, *state[seat + 1 : -1], past | move.facts)
                if not move.crash:
                    yield move.words, self._answered(after, move.facts, seat)
                elif may_crash:
                    for words, crashed in self._crash(self.seats[seat][0], after):
                        yield f"{move.words}\n{words}", crashed
        if may_crash:
            for node in self.size.fragile:
                yield from self._crash(node, state)

    def role(self, local: int) -> Any:
        """Return a role as it is in a local state, thawed."""
        return thaw(self.locals[local].role)

    def _answered(self, state: State, news: int = -1, changed: int = -1) -> State:
        """Let every role give the answers that leave it as it is.

        ``news`` are the facts that changed, and ``changed`` the seat; all, unless they are given.
        """
        past = state[-1]
        while news:
            more = 0
            for seat, table in enumerate(self._answers):
                known = self._known[seat].mask
                if news & known or seat == changed:
                    key = (state[seat], past & known)
                    facts = table.get(key)
                    if facts is None:
                        facts = table[key] = self._answers_of(seat, *key)
                    more |= facts
            past, news = past | more, more & ~past
            changed = -1
        return (*state[:-1], past)

    # What one role can do.

    def _moves_of(self, seat: int, number: int, past: int) -> Iterator[Move]:
        """Return what is not silent, after any silent steps; of equal moves a shortest."""
        disk = self.locals[number].disk
        words, queue, found = {number: ""}, [number], set()
        for current in queue:
            for move in self._single_moves(seat, current, past):
                after = (move.local, move.facts | past, move.crash)
                if move.facts & ~past or self.locals[move.local].disk != disk:
                    if after not in found:
                        found.add(after)
                        yield evolve(move, words=f"{words[current]}{move.words}")
                elif not move.crash and move.local not in words:
                    words[move.local] = f"{words[current]}{move.words}\n"
                    queue.append(move.local)

    def _answers_of(self, seat: int, number: int, past: int) -> int:
        """Return the facts that a role can bring about while it stays as it is."""
        facts = 0
        for move in self._single_moves(seat, number, past):
            if move.local == number and not move.crash:
                facts |= move.facts
        return facts

    def _single_moves(self, seat: int, number: int, past: int) -> Iterator[Move]:
        """Return all that a role may do next: hear a fact, or act of its own accord.

        What it does depends on nothing else, and so is worked out once.
        """
        table, left = self._single[seat], past & self._heard[seat].mask
        bit = 0
        while True:
            moves = table.get((number, bit))
            if moves is None:
                actions = self._actions(seat, self.locals[number], bit)
                moves = [move for action in actions for move in self._outcomes(seat, action)]
                moves = [move for move in moves if move.facts or move.local != number]
                table[number, bit] = moves
            yield from moves
            if not left:
                return
            bit = left & -left
            left ^= bit

    def _actions(self, seat: int, local: Local, bit: int) -> Iterator[Action]:
        node, kind = self.seats[seat]
        for fact in self.facts.of(bit):
            yield from hear(node, kind, fact, local)
        if not bit and kind == "learner":
            yield from learner_acts(node, local)
        elif not bit and kind == "proposer":
            yield from proposer_acts(self._budgets[node], local, self.size.slots)

    def _outcomes(self, seat: int, action: Action) -> Iterator[Move]:
        """Carry out what a role wants, from left to right; before each effect it may crash."""
        node, kind = self.seats[seat]
        role, local, facts = thaw(action.local.role), action.local, list(action.facts)
        may_crash = self.size.crashes and node in self.size.fragile
        for i, effect in enumerate(action.call(role) or ()):
            if i and may_crash:
                words = f"{action.words}, and crashes before {type(effect).__name__}"
                yield Move(words, self._number(local), self._mask(seat, facts), crash=True)
            local, more = carry_out(node, effect, local)
            facts += more
        if kind == "learner":
            local = self._tell(node, role, local, facts)
        local = evolve(local, role=freeze(role))
        yield Move(action.words, self._number(local), self._mask(seat, facts))

    def _tell(self, node: str, learner: Learner, local: Local, facts: list[Fact]) -> Local:
        """Let a learner tell its node's other roles how far it has come."""
        if learner.frontier > local.frontier:
            facts.append(Told(node, local.life, learner.frontier))
        return evolve(local, frontier=learner.frontier)

    # Crashes.

    def _crash(self, node: str, state: State) -> Iterator[tuple[str, State]]:
        """Begin another life of a node, with what its disk holds."""
        seats = [seat for seat, (name, _) in enumerate(self.seats) if name == node]
        key = tuple(state[seat] for seat in seats)
        if key not in self._restarts:
            lives = {seat: self.locals[state[seat]] for seat in seats}
            self._restarts[key] = list(self._restarts_of(node, lives))
        for restart in self._restarts[key]:
            after = [restart.locals.get(i, number) for i, number in enumerate(state[:-2])]
            crashed = (*after, state[-2] + 1, state[-1] | restart.facts)
            yield restart.words, self._answered(crashed)

    def _restarts_of(self, node: str, lives: dict[int, Local]) -> Iterator[Restart]:
        """Restart a node; of what its learner persisted for later, any suffix may be lost.

        Every role hears every record. Those of different roles are kept apart, for their order does
        not matter: `Learned` takes from the acceptor the votes up to its slot, and later a vote for
        such a slot is not taken.
        """
        disks = []
        for seat, local in lives.items():
            losable = len(local.disk) if self.seats[seat][1] == "learner" else 0
            disks.append([local.disk[: len(local.disk) - lost] for lost in range(losable + 1)])
        for kept in product(*disks):
            records = [record for disk in kept for record in disk]
            life = next(iter(lives.values())).life + 1
            facts: list[Fact] = [Restarted(node, life, len(kept[0]))]
            news = {}
            for (seat, old), disk in zip(lives.items(), kept, strict=True):
                new = Local((), disk, life=life, begun=old.begun, asked=old.asked)
                news[seat] = self._number(self._reborn(seat, new, records, facts))
            words = f"{node} restarts with {len(records)} records"
            yield Restart(words, news, self.facts.mask(facts))

    def _reborn(
        self, seat: int, local: Local, records: Iterable[Record], facts: list[Fact]
    ) -> Local:
        """Return a role as the records restore it."""
        node, kind = self.seats[seat]
        role, disk = self._newborn(node, kind), local.disk
        for record in records:
            for effect in role.recall(record) or ():
                local, more = carry_out(node, effect, local)
                facts += more
        if kind == "learner":
            local = self._tell(node, role, local, facts)
        return evolve(local, role=freeze(role), disk=disk)

    def _newborn(self, node: str, kind: Role) -> Any:
        match kind:
            case "acceptor":
                return Acceptor()
            case "proposer":
                return Proposer(node, self.quorums)
        return Learner(node, self.quorums)

    def _number(self, local: Local) -> int:
        number = self._numbers.get(local)
        if number is None:
            number = self._numbers[local] = len(self.locals)
            self.locals.append(local)
        return number

    def _mask(self, seat: int, facts: Iterable[Fact]) -> int:
        """Return a set of facts that a role brought about."""
        mask = self.facts.mask(facts)
        self._known[seat].mask |= mask
        return mask
