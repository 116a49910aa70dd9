# ruff: noqa: D401 - a mutant's docstring is the rule that it breaks
"""Bugs of reads: a node's state is read that misses what was answered before."""

from __future__ import annotations

from attrs import evolve

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.confirmation import Confirmation
from paxos.protocol.effects import Effects, Send
from paxos.protocol.messages import Confirm, Confirmed
from paxos.protocol.proposer import Leading
from paxos.protocol.quorums import Quorums
from paxos.replicated.messages import Read, Readable
from paxos.replicated.reading import Reading
from paxos.testing.mutants.registry import mutant

on_confirmed, pursue, on_read = Confirmation.on_confirmed, Reading.pursue, Reading.on_read
begin, on_readable = Confirmation.begin, Reading.on_readable


@mutant(Reading, "pursue", schedule=27, found_by="simulation")
def leader_answers_without_a_round(self: Reading, leader: str | None, now: float) -> Effects:
    """A leader may be deposed: a quorum must confirm its ballot after the question."""
    effects = pursue(self, leader, now)
    if self.question is not None and self.question.round is not None:
        return self._answer(self.question, self.question.round.slot, now)
    return effects


@mutant(Confirmation, "on_confirmed", schedule=27, found_by="simulation")
def answer_to_an_earlier_round_is_counted(
    self: Confirmation, source: str, confirmed: Confirmed, quorums: Quorums
) -> bool:
    """What an acceptor had not promised earlier, it may have promised since."""
    confirmed = evolve(confirmed, number=self.number)
    return on_confirmed(self, source, confirmed, quorums)


@mutant(Confirmation, "on_confirmed", schedule=27, found_by="simulation")
def one_confirmation_is_enough(
    self: Confirmation, source: str, confirmed: Confirmed, quorums: Quorums
) -> bool:
    """A quorum confirms: one node alone may have heard of no successor."""
    on_confirmed(self, source, confirmed, quorums)
    return bool(self.nodes)


@mutant(Acceptor, "on_confirm", schedule=27, found_by="simulation")
def confirms_below_its_promise(self: Acceptor, source: str, confirm: Confirm) -> Effects:
    """An acceptor that has promised a higher ballot confirms no lower one."""
    return (Send((source,), Confirmed(confirm.ballot, confirm.number)),)


@mutant(Reading, "on_read", found_by="simulation")
def late_reader_joins_the_round(self: Reading, source: str, read: Read) -> None:
    """A round serves those who came before it began, and nobody else."""
    on_read(self, source, read)
    if self.question is not None and source in self.waiting:
        self.question.askers[source] = self.waiting.pop(source)


@mutant(Reading, "on_readable", found_by="simulation")
def any_answer_is_taken(self: Reading, readable: Readable, now: float) -> Effects:
    """The answer to an earlier question says nothing about a later one."""
    if self.question is not None:
        readable = Readable(self.boot, self.question.number, readable.slot)
    return on_readable(self, readable, now)


@mutant(Reading, "_keep", found_by="simulation")
def read_point_is_not_waited_for(self: Reading, number: int, slot: int) -> None:
    """A reader waits until its node has applied all below the read point."""
    self.points[number] = min(slot, self.frontier)


@mutant(Confirmation, "begin", found_by="simulation", wrap=classmethod)
def round_misses_what_is_in_flight(
    cls: type[Confirmation], leading: Leading, number: int
) -> Confirmation:
    """What was proposed may be chosen, and others may know it before the leader does."""
    slot = min([leading.next_slot, *leading.in_flight])
    return evolve(begin(leading, number), slot=slot)
