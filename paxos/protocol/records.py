"""What a role must not forget. The journal keeps them; replayed in order, they restore a role."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from paxos.protocol.ballot import Ballot
from paxos.protocol.values import Value


@frozen
class Begun:
    """A proposer used this ballot: it must never begin it again (section 2.5)."""

    ballot: Ballot


@frozen
class Promised:
    """An acceptor promised to refuse everything below this ballot."""

    ballot: Ballot


@frozen
class Voted:
    """An acceptor voted; a vote is a promise of its ballot, too."""

    slot: int
    ballot: Ballot
    value: Value


@frozen
class Learned:
    """A learner knows the chosen value of a slot and of every slot below it.

    ``ballot`` is one at which the slot is known to be chosen, None where another node taught it.
    A vote of the same node at that ballot or above is for the same value (P2b), so a journal need
    not write the value twice.
    """

    slot: int
    ballot: Ballot | None
    value: Value


@frozen
class Doubted:
    """The node has found out that its journal has forgotten something: it must not vote."""

    why: str


@frozen
class Readmitted:
    """An acceptor that had forgotten something may vote again, above this ballot."""

    ballot: Ballot


Record: TypeAlias = Begun | Promised | Voted | Learned | Doubted | Readmitted
