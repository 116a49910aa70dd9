# ruff: noqa: D401 - a mutant's docstring is the rule that it breaks
"""Bugs of effects: something happens twice outside, where the log cannot take it back."""

from __future__ import annotations

from attrs import evolve

from paxos.replicated.decrees import Ruling
from paxos.replicated.effect_decrees import Intend, Intended
from paxos.replicated.effects import Effects, EffectsSnapshot
from paxos.replicated.elections import Elections
from paxos.replicated.values import Session
from paxos.testing.mutants.registry import mutant

intend, restored = Effects._intend, Effects.restored


@mutant(Effects, "_intend", found_by="simulation")
def attempt_is_forgotten(
    self: Effects, decree: Intend, session: Session, elections: Elections
) -> Ruling:
    """Who intends what may have happened already must ask before it acts."""
    ruling = intend(self, decree, session, elections)
    return Intended(attempted=False) if isinstance(ruling, Intended) else ruling


@mutant(Effects, "restored", schedule=28, found_by="simulation", wrap=classmethod)
def snapshot_forgets_open_intents(cls: type[Effects], snapshot: EffectsSnapshot) -> Effects:
    """What was intended and not concluded is still open after a snapshot has taken its place."""
    return restored(evolve(snapshot, intents=()))


@mutant(Effects, "_intend", found_by="simulation")
def intent_of_an_earlier_epoch_counts(
    self: Effects, decree: Intend, session: Session, elections: Elections
) -> Ruling:
    """An effect is intended in the epoch in which its election is led, and in no earlier one."""
    election = elections.by_name.get(decree.name)
    if election is not None and election.leader == session.node:
        decree = evolve(decree, epoch=election.epoch)
    return intend(self, decree, session, elections)
