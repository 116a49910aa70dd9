"""What the roles say to one another; frozen, so a message is a snapshot of its sender's state.

======== ================= ======================= ====================================
phase    message           from -> to              meaning
======== ================= ======================= ====================================
1a       `Prepare`         proposer -> acceptors   promise me every open slot
1b       `Promise`         acceptor -> proposer    nothing below this ballot any more,
                                                   and here is what I voted for
2a       `Accept`          proposer -> acceptors   vote for this value in this slot
                           (and learners)
2b       `Accepted`        acceptor -> learner     I voted
refusal  `Rejected`        acceptor -> proposer    I have promised a higher ballot
learn    `Chosen`          learner -> learners     a quorum voted for it at this ballot
learn    `Learn`, `Teach`  learner <-> learner     send me those slots; here is one
read     `Confirm`         proposer -> acceptors   is there no ballot above mine?
read     `Confirmed`       acceptor -> proposer    I have promised none
readmit  `AskMemory`,      node <-> others         what do you remember of me? This
         `Memory`
======== ================= ======================= ====================================

One departure from the paper: ``Accepted`` and ``Chosen`` carry no value. A ballot proposes at most
one value for a slot, and learners hear the ``Accept`` itself, so ballot and slot name the value.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from paxos.protocol.ballot import Ballot
from paxos.protocol.values import Value


class Message:
    """Base of everything that one node says to another."""

    __slots__ = ()


@frozen
class Vote:
    """The proposal of highest ballot that an acceptor has accepted for a slot."""

    slot: int
    ballot: Ballot
    value: Value


@frozen
class Prepare(Message):
    """Phase 1a. One message covers every open slot from ``frontier`` on (section 3)."""

    ballot: Ballot
    frontier: int
    """The first slot that the proposer's node has not learned; it asks for no vote below."""


@frozen
class Promise(Message):
    """Phase 1b, or one part of it: a long promise travels as several messages.

    The proposer counts an acceptor's promise only when it holds ``total`` votes that were
    reported for one ``frontier``; a part that was lost leaves phase 1 incomplete.
    """

    ballot: Ballot
    frontier: int
    """Votes below are not reported: the proposer, or this acceptor's node, learned those slots."""
    total: int
    """How many votes the whole promise has."""
    votes: tuple[Vote, ...]


@frozen
class Accept(Message):
    """Phase 2a: a proposal."""

    ballot: Ballot
    slot: int
    value: Value


@frozen
class Accepted(Message):
    """Phase 2b, to the distinguished learner, beside the ballot's proposer (section 2.3)."""

    ballot: Ballot
    slot: int


@frozen
class Rejected(Message):
    """A refusal of a message at ``ballot``; an optimisation, never needed for safety."""

    ballot: Ballot
    promised: Ballot


@frozen
class Chosen(Message):
    """The distinguished learner's announcement: ``slot`` was chosen at ``ballot``."""

    ballot: Ballot
    slot: int


@frozen
class Learn(Message):
    """Asks another node's learner for the chosen values of ``first`` to ``last``, both included."""

    first: int
    last: int


@frozen
class Teach(Message):
    """One chosen value, answering `Learn`."""

    slot: int
    value: Value
    last: int
    """The last slot of this answer: when all up to it arrived, it is time to ask for more."""
    frontier: int
    """The teacher's frontier, so that a laggard knows how far it still has to go."""


@frozen
class Confirm(Message):
    """A leader asks whether its ballot is still the highest; see `confirmation`."""

    ballot: Ballot
    number: int
    """The leader's number of this round, to be returned."""


@frozen
class Confirmed(Message):
    """When asked, the acceptor had promised nothing above ``ballot``."""

    ballot: Ballot
    number: int


@frozen
class AskMemory(Message):
    """A node that may have forgotten something asks the others, before it votes."""

    number: int
    """Of this attempt, to be returned."""


@frozen
class Memory(Message):
    """The answer to `AskMemory`."""

    number: int
    highest: Ballot
    """The highest ballot that the sender has begun or promised."""
    frontier: int
    """The first slot that the sender has not learned."""
    journal: int
    """The identity of the asker's journal as the sender knows it; 0 if it knows none."""
    writes: int
    """How many writes it had when it was last heard."""


PaxosMessage: TypeAlias = (
    Prepare
    | Promise
    | Accept
    | Accepted
    | Rejected
    | Chosen
    | Learn
    | Teach
    | Confirm
    | Confirmed
    | AskMemory
    | Memory
)
