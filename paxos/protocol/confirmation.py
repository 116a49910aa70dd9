"""How a leader makes sure that it missed nothing: a round that writes nothing to any disk.

The paper does not ask for it: there, a read is a command like any other. It answers one question:
*which slots hold everything that was learned, anywhere, before now?* Those below ``slot``, the
first that this ballot had not proposed in when the round began, provided that a quorum confirms
the ballot afterwards.

Why: suppose that ``slot`` was chosen before the round began. Not at this ballot, which had proposed
nothing there. Not at a lower one: the quorum of phase 1 would have reported a vote there, and this
ballot would have proposed in the slot. So it was chosen at a higher ballot, by a quorum of votes.
Each quorum for the prepare phase meets it, so whichever confirms has a member that had voted above
this ballot before it was asked, and such an acceptor confirms nothing (`Acceptor.on_confirm`).
Hence ``slot`` was not chosen then, and since slots are learned in order, nobody had learned it or
any slot above.

No clock is part of this. A leader that was deposed, or paused at any point, gets no quorum.
"""

from __future__ import annotations

from attrs import define, field

from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Send
from paxos.protocol.messages import Confirm, Confirmed
from paxos.protocol.proposer import Leading
from paxos.protocol.quorums import Quorums


@define
class Confirmation:
    """One such round of a ballot."""

    ballot: Ballot
    number: int
    """No other round of this ballot has it."""
    slot: int
    """Once confirmed, everything that was learned before the round began lies below."""
    nodes: set[str] = field(factory=set)
    """Who has confirmed."""

    @classmethod
    def begin(cls, leading: Leading, number: int) -> Confirmation:
        """Return a new round of a ballot whose phase 1 is complete."""
        return cls(leading.ballot, number, leading.next_slot)

    def ask(self, quorums: Quorums) -> Effects:
        """Ask every acceptor that has not confirmed, the first time or again."""
        silent = (node for node in quorums.members(self.slot) if node not in self.nodes)
        return (Send(tuple(silent), Confirm(self.ballot, self.number)),)

    def on_confirmed(self, source: str, confirmed: Confirmed, quorums: Quorums) -> bool:
        """Count an answer to this round, and to no other; tell whether the round is complete."""
        if (confirmed.ballot, confirmed.number) != (self.ballot, self.number):
            return False
        self.nodes.add(source)
        return quorums.is_prepare_quorum(self.slot, self.nodes)
