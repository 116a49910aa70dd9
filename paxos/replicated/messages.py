"""What nodes say to one another beside Paxos proper, and what clients say to a node.

None of it matters to agreement: it decides who stands for leader when, carries commands to the
leader, and answers questions.

=============== ========================= ==============================================
message         from -> to                meaning
=============== ========================= ==============================================
`Heartbeat`     leader -> others          I lead at this ballot; the log is chosen to here
`Heard`         follower -> leader        I hear you, and have learned to here
`Resigned`      leader -> others          I stop leading now: do not wait for silence
`Knock`         follower -> leader        nothing: its machine refuses it if its process is gone
`Probe`         follower -> leader        answer with a heartbeat, if you still lead
`Refused`       transport -> own roles    a peer's machine says that nobody listens there
`Poll`          candidate -> others       would you promise me a ballot, if I began one?
`Polled`        other -> candidate        yes, or no: I hear this leader
`Propose`       any node -> leader        decide these commands
`Read`          any node -> leader        which slots must my readers wait for?
`Readable`      leader -> that node       those below this one
`StateChecksum` any node -> others        my state had this checksum at that slot
`Adopted`       node -> own proposer      propose these commands of ours
`Advanced`      learner -> own proposer   the log is learned further than you know
`Submit`        client -> node            propose this command for me
`Answer`        node -> client            what became of it
`Query`         client -> node            answer this from the state as it is now
`AskStatus`     client -> node            how are you?
`Readmit`       client -> node            vote again without the help of these
`Status`        node -> client            thus; the answer to both
=============== ========================= ==============================================
"""

from __future__ import annotations

from enum import IntEnum

from attrs import frozen

from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Message
from paxos.replicated.admission import Mark
from paxos.replicated.values import Command, CommandId, Leadership


class OwnMessage(Message):
    """Base of what a node says to its own roles alone: it is never dropped and never travels."""

    __slots__ = ()


@frozen
class Heartbeat(Message):
    """The leader's sign of life."""

    ballot: Ballot
    frontier: int
    """The first slot that the leader has not learned."""
    sent: int
    """The leader's own monotonic clock in microseconds, to be returned; means nothing elsewhere."""
    round_trip: int
    """The leader's smoothed round trip in microseconds."""
    marks: tuple[Mark, ...]
    """What the leader knows of every member's journal, its own included."""


@frozen
class Heard(Message):
    """A follower's reply to `Heartbeat`."""

    ballot: Ballot
    frontier: int
    sent: int
    mark: Mark
    """The follower's own journal."""
    lease: int = 0
    """For so many microseconds from the heartbeat's receipt, by the follower's clock, its acceptor
    answers no prepare above the ballot; see `read_leases`."""


@frozen
class Resigned(Message):
    """The leader stops in an orderly way."""

    ballot: Ballot


@frozen
class Knock(Message):
    """Sent often, so that a dead leader's machine soon refuses one; there is nothing in it.

    It travels as an empty datagram, which costs next to nothing, and no role hears of it.
    """


@frozen
class Probe(Message):
    """Asks a leader whose machine has refused something whether it is there all the same."""

    ballot: Ballot
    """The leader's."""


@frozen
class Refused(Message):
    """The transport to this node's own roles, about its source; it never travels.

    A hint and no proof: the process may have begun anew, and anybody can forge a refusal.
    """


@frozen
class Poll(Message):
    """Asks whether a candidacy would be welcome, before any ballot is spent on it."""

    number: int
    """The candidate's number of this poll, to be returned."""
    sent: int
    """The candidate's own clock in microseconds, to be returned."""


@frozen
class Polled(Message):
    """The reply to `Poll`."""

    number: int
    sent: int
    granted: bool
    ballot: Ballot
    """The highest ballot that the answering node knows of; if refused, the live one's."""
    frontier: int


@frozen
class Propose(Message):
    """Commands on their way to the leader."""

    commands: tuple[Command, ...]
    hops: int
    """How often it may still be passed on by nodes that do not lead."""


@frozen
class Read(Message):
    """Asks for a read point; see `reading`."""

    boot: int
    """How often the asking node has been started, to be returned."""
    number: int
    """The asking node's number of the question, to be returned."""


@frozen
class Readable(Message):
    """Everything that was answered anywhere before the question came lies below ``slot``."""

    boot: int
    number: int
    slot: int


@frozen
class Adopted(OwnMessage):
    """A node to its own proposer: there are commands of its own to propose."""


@frozen
class Advanced(OwnMessage):
    """A learner to its own proposer: there is `Progress` for which it may wait."""


@frozen
class Progress:
    """How far a node's learner has come since its proposer last looked."""

    frontier: int
    leadership: Leadership | None
    """The last leadership below the frontier."""
    settled: tuple[CommandId, ...]
    """Commands that this node may have proposed, and that were applied meanwhile."""


@frozen
class StateChecksum(Message):
    """What a node's state had come to before the slot ``position``."""

    position: int
    checksum: int


class Outcome(IntEnum):
    """What became of a submitted command."""

    APPLIED = 0
    FAILED = 1
    """The state machine refused it with an error."""
    REFUSED = 2
    """It was not proposed."""
    UNKNOWN = 3
    """It may or may not be applied, now or later."""


@frozen
class Submit(Message):
    """A client's command; repeated under the same number until it is answered."""

    number: int
    data: bytes


@frozen
class Answer(Message):
    """The reply to `Submit` and `Query`."""

    number: int
    outcome: Outcome
    slot: int
    """The slot that decided it, or the last that a query has seen; -1 where there is none."""
    data: bytes
    """The state machine's answer, or an error in words (UTF-8)."""


@frozen
class Query(Message):
    """A client's question to the state machine, which changes nothing; repeated like a `Submit`."""

    number: int
    data: bytes


@frozen
class AskStatus(Message):
    """A client's question."""

    number: int


@frozen
class Readmit(Message):
    """A person's word, through a client, that some members will never come back."""

    number: int
    without: tuple[str, ...]


@frozen
class Status(Message):
    """A node about itself."""

    number: int
    node: str
    role: str
    """``leader``, ``candidate`` or ``follower``."""
    leadership: Leadership | None
    """The live leader as this node knows it."""
    last_leadership: Leadership | None
    """The last one that this node has learned, live or not."""
    ballot: Ballot
    """The highest ballot that this node has promised or seen."""
    frontier: int
    """The first slot that this node has not learned."""
    target: int
    """The highest frontier of which it has heard; the difference is its lag in slots."""
    voting: bool
    """False when its journal has failed."""
    why: str
    """Why there is no leader, or why it does not vote; empty when all is well."""
    first: int = 0
    """The first slot whose value this node still has; a snapshot tells what came before."""
    fetched: int = 0
    """How many bytes have arrived of a snapshot that it fetches."""
    fetching: int = 0
    """How many bytes that has; 0 when it fetches none."""
