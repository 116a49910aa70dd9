# ruff: noqa: D401 - a mutant's docstring is the rule that it breaks
"""Bugs above and below the roles: only a whole simulated node can show them."""

from __future__ import annotations

from collections.abc import Iterable

from paxos.protocol.effects import Effect, Effects
from paxos.protocol.proposer import Leading
from paxos.replicated.candidacy_states import Serving
from paxos.replicated.log_proposer import LogProposer, Own
from paxos.replicated.roles import Turn
from paxos.replicated.sessions import AppliedNumbers, Sessions
from paxos.replicated.values import Command, Leadership
from paxos.testing.mutants.registry import mutant

turn_of, first_time = Turn.of, Sessions.first_time


@mutant(Turn, "of", schedule=5, found_by="simulation", wrap=classmethod)
def turn_sends_before_it_syncs(cls: type[Turn], effects: Iterable[Effect]) -> Turn:
    """What a drained inbox made durable is synced before anything of it is sent."""
    turn = turn_of(effects)
    return cls([], turn.effects, turn.records + turn.later)


@mutant(Sessions, "first_time", schedule=28, found_by="simulation")
def repeated_command_is_applied_again(self: Sessions, command: Command) -> bool:
    """A command takes effect once, however often it is chosen."""
    first_time(self, command)
    return True


@mutant(AppliedNumbers, "add", schedule=28, found_by="simulation")
def only_the_last_number_is_remembered(self: AppliedNumbers, number: int) -> bool:
    """Many commands of a session are in flight, and each of them is applied once."""
    again, self.above = number in self.above, {number}
    return not again


@mutant(LogProposer, "_open", found_by="simulation")
def epoch_is_not_raised(self: LogProposer, state: Leading) -> Effects:
    """Every leadership has an epoch of its own."""
    if self.opening is not None or state.recovering or state.in_flight:
        return ()
    epoch = 1 if self.leadership is None else self.leadership.epoch
    self.opening = Leadership(self.name, epoch)
    return self.candidacy.proposer.propose(self.opening)


@mutant(LogProposer, "_open", found_by="simulation")
def opens_before_it_has_learned(self: LogProposer, state: Leading) -> Effects:
    """A leader knows the last epoch before it proposes its own."""
    if self.opening is not None or self.candidacy.proposer.room <= 0:
        return ()
    epoch = 1 if self.leadership is None else self.leadership.epoch + 1
    self.opening = Leadership(self.name, epoch)
    return self.candidacy.proposer.propose(self.opening)


@mutant(LogProposer, "serving", found_by="simulation", wrap=property)
def serves_before_its_leadership_is_chosen(self: LogProposer) -> bool:
    """A leader serves commands only after its leadership is chosen."""
    return isinstance(self.candidacy.state, Serving)


@mutant(LogProposer, "_due", found_by="simulation")
def command_is_sent_once(self: LogProposer, now: float, *, every: bool) -> list[Own]:
    """A command is sent again until it is applied, for it may have been lost."""
    return []
