"""Named elections in a Trio node: carries out what its `Office` wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import trio

from paxos.errors import ElectionRefused, NodeClosed
from paxos.forks import Elsewhere, Private
from paxos.node.board import Board
from paxos.node.clock import Clock
from paxos.node.election import Election
from paxos.node.term import Term, check_value
from paxos.node.timers import Timers
from paxos.node.watchdog import Watchdog
from paxos.protocol.effects import Effect, Effects, Wake
from paxos.replicated.decrees import Decree, Ruling
from paxos.replicated.effects import Intent
from paxos.replicated.election_decrees import MAX_PROCLAIMED, LeaderChanged, Renew
from paxos.replicated.elections import Elections
from paxos.replicated.roles import Roles
from paxos.replicated.standing import Decide, Loss, Lost, Out, Won
from paxos.replicated.state import Applied
from paxos.replicated.timing import Timing
from paxos.replicated.values import CommandId, Leadership
from paxos.wire.fields import MAX_NAME

if TYPE_CHECKING:
    from paxos.node.services import Services

ALARM = "elections"
"""The name of the office's alarm among the node's timers."""


class Part:
    """The part that this node takes in an election, for one `Election.lead`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.decided = trio.Event()
        """Set when it is elected, or never will be."""
        self.out = trio.Event()
        """Set when the node has no part in the election any more."""
        self.leaving = False
        self.term: Term | None = None
        self.refused = ""
        self.exit_if_stalled = False

    async def won(self, *, exit_if_stalled: bool) -> Term:
        """Wait for the election. Raises `ElectionRefused` or `NodeClosed`."""
        self.exit_if_stalled = exit_if_stalled
        await self.decided.wait()
        if self.refused:
            raise ElectionRefused(self.refused)
        if self.term is None:
            raise NodeClosed(f"the node was closed before it led {self.name}")
        return self.term


class ElectionService(Private):
    """What stands between the elections' public face, the node and its office."""

    def __init__(self, services: Services, roles: Roles, timers: Timers, timing: Timing) -> None:
        self.timing = timing
        self.clock = Clock()
        self._services = services
        self._roles = roles
        self._office = roles.office
        self._timers = timers
        timers.register(ALARM, self._ring)
        self._seen = self.elections
        self._parts: dict[str, Part] = {}
        self._boards: dict[str, Board] = {}
        self._decrees: dict[CommandId, Decree] = {}
        self.closing = False
        """Whether the node is being closed, or has failed."""
        self._watchdog = Watchdog(self._office, self.clock, self.terms)
        super().__init__()

    # For elections and terms.

    @property
    def elections(self) -> Elections:
        """What the log says, as far as this node has learned it."""
        return self._roles.learner.state.elections

    def election(self, name: str) -> Election:
        """Return an election; raise `ElectionRefused` if there can be none of this name."""
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise ElectionRefused(
                f"the name of an election is 1 to {MAX_NAME} printable characters, not {name!r}"
            )
        return Election(self, name)

    def term(self, name: str) -> Term | None:
        """Return this node's term in an election, if it has one."""
        part = self._parts.get(name)
        return None if part is None else part.term

    def open_intents(self, name: str) -> tuple[Intent, ...]:
        """Return the effects of this name that are begun and not concluded."""
        return self._roles.learner.state.effects.open_intents(name)

    @property
    def node_name(self) -> str:
        """The member's name."""
        return self._services.name

    def board(self, name: str) -> Board:
        """Return the board of an election for those who observe it."""
        if name not in self._boards:
            self._boards[name] = Board(self.elections.view(name))
        return self._boards[name]

    def terms(self) -> list[tuple[Term, bool]]:
        """Return the terms that last, and which of them are worth this process's life."""
        parts = [part for part in list(self._parts.values()) if not part.leaving]
        return [(part.term, part.exit_if_stalled) for part in parts if part.term is not None]

    @staticmethod
    def check_value(value: bytes) -> None:
        """Raise what is wrong with a value to proclaim, if anything is."""
        check_value(value, MAX_PROCLAIMED)

    async def decree(self, decree: Decree) -> Ruling:
        """Have a decree decided that needs no order among others. Raises `OutcomeUnknown`."""
        return await self._services.decree(decree)

    async def barrier(self) -> None:
        """Wait until what the node has learned is not older than this call."""
        await self._services.readers.barrier()

    async def enter(self, name: str, priority: int, value: bytes) -> Part:
        """Stand in an election, when an earlier part in it has ended."""
        await trio.lowlevel.checkpoint()
        while (earlier := self._parts.get(name)) is not None:
            if not earlier.leaving:
                raise ElectionRefused(
                    f"{self.node_name} stands in {name} already: a node leads an election once at "
                    "a time, so leave that block first, or share its term"
                )
            await earlier.out.wait()
        if self.closing:
            raise NodeClosed(f"the node is closed: it cannot stand in {name}")
        part = self._parts[name] = Part(name)
        self._carry_out(self._office.stand(name, priority, value, self.clock.now()))
        return part

    def leave(self, part: Part) -> None:
        """Have no part any more in an election, as soon as the log agrees."""
        if part.term is not None:
            part.term.lose(Loss.RESIGNED)
        if not part.leaving and not part.out.is_set():
            part.leaving = True
            self._carry_out(self._office.leave(part.name, self.clock.now()))

    # For the node.

    def start(self) -> None:
        """Begin: the log may know of an earlier life of this node."""
        self._carry_out(self._office.wake(self.clock.now()))

    def applied(self, applied: Applied) -> None:
        """Hear that a slot took effect."""
        rulings = []
        for command, _, ruling in applied.results if self._decrees else ():
            decree = self._decrees.pop(command, None)
            if decree is not None:
                rulings.append((decree, ruling if isinstance(ruling, Ruling) else None))
        if not applied.changes and not rulings:
            return
        for change in applied.changes:
            if isinstance(change, LeaderChanged) and change.election in self._boards:
                self._boards[change.election].add(change.view)
        self._carry_out(self._office.applied(applied.changes, rulings, self.clock.now()))

    def turned(self) -> None:
        """Hear that the log's leader may have changed, or that the state has jumped."""
        if self._seen is not self.elections:
            self._seen = self.elections
            for name, board in self._boards.items():
                board.add(self.elections.view(name))
        if self._office.moved:  # rarely: the clock costs more than the look
            self._carry_out(self._office.turned(self.clock.now()))

    async def farewell(self) -> None:
        """Leave every election; wait a little until the bodies, then the terms, have ended."""
        self.closing = True
        parts = list(self._parts.values())
        for part in parts:
            self._stop(part, Loss.RESIGNED)
        with trio.move_on_after(2 * self.timing.suspicion):
            for part in parts:
                await part.out.wait()

    def let_go(self) -> None:
        """See `Private.let_go`: the terms are over here, and what else is asked raises an error."""
        for term, _ in self.terms():
            term.lose_in_fork(self.process)
        self._services = cast("Services", Elsewhere(self.process))
        self._roles = cast("Roles", self._services)

    def close(self) -> None:
        """End every part at once: this node hears of nothing any more."""
        self.closing = True
        self._watchdog.stop()
        for part in list(self._parts.values()):
            self._stop(part, Loss.DISCONNECTED)
            self._end(part)

    def _stop(self, part: Part, loss: Loss) -> None:
        part.decided.set()
        if part.term is not None:
            part.term.lose(loss)

    def _ring(self) -> None:
        self._carry_out(self._office.wake(self.clock.now()))

    def _carry_out(self, effects: Effects) -> None:
        for effect in effects:
            if not self._services.closed:
                self._do(effect)

    def _do(self, effect: Effect) -> None:
        match effect:
            case Decide(decree):
                command = self._roles.decree(decree)
                if not isinstance(decree, Renew):  # nobody asks what became of one of these
                    self._decrees[command.id] = decree
                self._services.send(command)
            case Wake(earliest, latest):
                self._timers.set(ALARM, earliest, latest)
            case Won(name, epoch):
                leadership = Leadership(self._services.name, epoch, name)
                part = self._parts[name]
                if part.decided.is_set():
                    return  # the node is being closed
                part.term = Term(self, self._office, self.clock, leadership)
                part.decided.set()
                self._watchdog.watch()
            case Lost(name, loss):
                term = self._parts[name].term
                if term is not None:
                    term.lose(loss)
            case Out(name, refused):
                self._parts[name].refused = refused
                self._end(self._parts[name])

    def _end(self, part: Part) -> None:
        self._parts.pop(part.name, None)
        part.decided.set()
        part.out.set()
        if part.term is not None:
            part.term.over.set()
