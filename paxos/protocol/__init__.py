"""What Lamport wrote, as pure state machines: no clock, no randomness, no sockets, no disk.

Read it beside *Paxos Made Simple*. Start with `ballot` and `messages`, then the roles; each role
is one class with one entry point, ``handle(source, message)``, that returns the ordered effects
it wants. Order on the page is order in the world: what stands left of a `Send` is durable first.

From the paper to the files
---------------------------

======= ==================================================== ====================================
section what it says                                         where
======= ==================================================== ====================================
2.1     three roles                                          one file for each
2.2     P1a: when an acceptor may accept                     `Acceptor.on_accept`
2.2     P2c: what a proposer may propose                     `proposer.highest_votes`
2.2     phase 1a, 1b                                         `Proposer.prepare`,
                                                             `Acceptor.on_prepare`
2.2     phase 2a, 2b                                         `Proposer.propose`,
                                                             `Acceptor.on_accept`
2.2     a refused proposer should abandon its proposal       `Proposer.on_rejected`
2.3     learning; the distinguished learner                  `Learner.on_accepted`, `on_chosen`
2.4     progress needs one distinguished proposer            not here: ``paxos.replicated``
2.5     what stable storage holds                            `records`, and every `Persist`
2.5     disjoint sets of numbers, never used again           `Ballot`, `Proposer.prepare`
3       phase 1 once for infinitely many instances           `Prepare`, `Acceptor.on_prepare`
3       gaps are filled with no-ops                          `Proposer.on_promise`
3       a leader may be some commands ahead                  `Proposer.window`
3       every server learns the log in order                 `Learner.on_teach`, `Deliver`
--      reads that are no commands: not in the paper         `Confirmation`
======= ==================================================== ====================================

What the paper takes for granted, that stable storage forgets nothing, fails, too: `readmission` is
how an acceptor that has forgotten something becomes safe again.

Messages
--------

======== ================= ========================= ==================================
phase    message           from -> to                meaning
======== ================= ========================= ==================================
1a       `Prepare`         proposer -> acceptors     promise me every open slot
1b       `Promise`         acceptor -> proposer      nothing below this ballot any more,
                           (and its learner)         and here is what I voted for
2a       `Accept`          proposer -> acceptors     vote for this value in this slot
                           (and learners)
2b       `Accepted`        acceptor -> learner       I voted
refusal  `Rejected`        acceptor -> proposer      I have promised a higher ballot
learn    `Chosen`          learner -> learners       a quorum voted for it at this ballot
learn    `Learn`, `Teach`  learner <-> learner       send me those slots; here is one
read     `Confirm`         proposer -> acceptors     is there no ballot above mine?
read     `Confirmed`       acceptor -> proposer      I have promised none
readmit  `AskMemory`,      node <-> others           what do you remember of me? This
         `Memory`
======== ================= ========================= ==================================

Words
-----

ballot
    ``(number, node)``, totally ordered; owned by one proposer, never reused after a restart.
slot
    A position in the log.
value
    What one slot decides; the roles never look inside.
vote
    The ``(ballot, value)`` that an acceptor accepted for a slot.
chosen, learned
    A fact about the cluster; what this node knows of it.
frontier
    The first slot that a node has not learned. Slots from there on are *open*.
quorum
    A set of acceptors big enough for a phase.
round
    One ballot's attempt.
source, target
    The sender and the receiver of a message.

What always holds
-----------------

1. An acceptor never answers a ballot below one that it has promised or voted at
   (`Acceptor.on_prepare`, `Acceptor.on_accept`; the promise changes in `Acceptor.recall` alone).
2. A promise reports the last vote in every slot from its frontier on (`Acceptor.on_prepare`).
3. What a promise does not report because it lies below the frontier is chosen and can be learned
   (`Acceptor.advance`).
4. A ballot is begun once, in all lives of its proposer (`Proposer.prepare`).
5. A ballot proposes at most one value for a slot (`Proposer.propose` and the recovery after
   `Proposer.on_promise`, both by way of one function).
6. A ballot proposes in a slot only after a quorum has promised it in whole, and proposes the value
   of the highest vote that was reported there (`Proposer.on_promise`, P2c).
7. Hence a ballot above one at which a slot's value was chosen proposes the same value (P2b), and
   so at most one value is ever chosen for a slot.
8. A value is taken for chosen only on a quorum of votes of one ballot (`Learner.on_accepted`), or
   on the word of a learner that saw one (`Learner.on_chosen`, `Learner.on_teach`).
9. A learner delivers each slot once, in order, without gaps (every handler of `Learner`, by way of
   one function); a snapshot stands for the slots below it (`Learner.jump`).
10. Nothing is said before what it rests on is durable (the order of effects in every handler).
11. When a round of `Confirmation` is complete, every slot that anybody had learned before it began
    lies below its slot (`Acceptor.on_confirm`, and the reasons in ``confirmation``).

At a prompt
-----------

>>> from paxos.protocol import *

>>> acceptor = Acceptor()
>>> _ = acceptor.handle("b", Prepare(Ballot(2, "b"), frontier=0))
>>> acceptor.handle("a", Accept(Ballot(1, "a"), slot=0, value="late"))[0].message.promised
Ballot(number=2, node='b')

>>> proposer = Proposer("a", Majority(("a", "b", "c")))
>>> durable, event, send = proposer.prepare(frontier=0)
>>> durable.record, send.targets
(Begun(ballot=Ballot(number=1, node='a')), ('a', 'b', 'c'))

>>> learner = Learner("a", Majority(("a", "b", "c")))
>>> _ = learner.handle("b", Accept(Ballot(1, "b"), slot=0, value="x"))
>>> learner.handle("b", Chosen(Ballot(1, "b"), slot=0))[-1]
Deliver(slot=0, value='x')

A single decree
---------------

Section 2 decides one value. It is the special case in which only slot 0 matters. Here ``a`` got a
vote of one acceptor and vanished; ``b`` finds that vote, and so must propose its value:

>>> nodes = ("a", "b", "c")
>>> acceptors = {name: Acceptor() for name in nodes}
>>> _ = acceptors["c"].handle("a", Accept(Ballot(1, "a"), slot=0, value="apple"))
>>> proposer = Proposer("b", Majority(nodes), highest=Ballot(1, "a"))
>>> *_, send = proposer.prepare(frontier=0)
>>> for name in ("b", "c"):  # a quorum
...     *_, promise = acceptors[name].handle("b", send.message)
...     effects = proposer.handle(name, promise.message)
>>> accept = effects[-1].message
>>> accept
Accept(ballot=Ballot(number=2, node='b'), slot=0, value='apple')
>>> learner = Learner("b", Majority(nodes))
>>> _ = learner.handle("b", accept)
>>> for name in ("b", "c"):
...     *_, accepted = acceptors[name].handle("b", accept)
...     effects = learner.handle(name, accepted.message)
>>> effects[-1]
Deliver(slot=0, value='apple')

Had nobody voted, ``proposer.state.next_slot`` would be 0, and ``proposer.propose("banana")`` a
choice of its own.
"""

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.confirmation import Confirmation
from paxos.protocol.effects import (
    Deliver,
    Effect,
    Effects,
    Persist,
    PersistLater,
    Send,
    Supply,
    Wake,
)
from paxos.protocol.events import BallotBegun, BallotLost, BallotPrepared, Event, SlotChosen
from paxos.protocol.learner import Learner
from paxos.protocol.messages import (
    Accept,
    Accepted,
    AskMemory,
    Chosen,
    Confirm,
    Confirmed,
    Learn,
    Memory,
    Message,
    PaxosMessage,
    Prepare,
    Promise,
    Rejected,
    Teach,
    Vote,
)
from paxos.protocol.proposer import Idle, Leading, Preparing, Proposer
from paxos.protocol.quorums import Majority, Quorums
from paxos.protocol.readmission import Readmission
from paxos.protocol.records import (
    Begun,
    Doubted,
    Learned,
    Piece,
    Promised,
    Readmitted,
    Record,
    Snapshotted,
    Voted,
)
from paxos.protocol.values import NOOP, NoOp, Value

__all__ = [
    "NOOP",
    "Accept",
    "Accepted",
    "Acceptor",
    "AskMemory",
    "Ballot",
    "BallotBegun",
    "BallotLost",
    "BallotPrepared",
    "Begun",
    "Chosen",
    "Confirm",
    "Confirmation",
    "Confirmed",
    "Deliver",
    "Doubted",
    "Effect",
    "Effects",
    "Event",
    "Idle",
    "Leading",
    "Learn",
    "Learned",
    "Learner",
    "Majority",
    "Memory",
    "Message",
    "NoOp",
    "PaxosMessage",
    "Persist",
    "PersistLater",
    "Piece",
    "Prepare",
    "Preparing",
    "Promise",
    "Promised",
    "Proposer",
    "Quorums",
    "Readmission",
    "Readmitted",
    "Record",
    "Rejected",
    "Send",
    "SlotChosen",
    "Snapshotted",
    "Supply",
    "Teach",
    "Value",
    "Vote",
    "Voted",
    "Wake",
]
