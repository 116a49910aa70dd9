"""Decrees of those who believe what was true once, or never was: they must change nothing.

A node proposes what follows from the log that it knows. Until that is decided others may have gone
on, so each decree names on what it rests, and is void where that is over. Such a moment is short;
here whoever wants proposes at any time what only one who lags would.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from paxos.replicated.decrees import Decree, Ruling
from paxos.replicated.effect_decrees import Intend, Intended
from paxos.replicated.election_decrees import Expire, HandOver, Proclaim
from paxos.replicated.elections import Election, NodeSession
from paxos.replicated.values import Leadership, Result
from paxos.testing.checkers import Violation
from paxos.testing.simulation.campaigner import ELECTIONS
from paxos.testing.simulation.charging import PERIOD, RETENTION

if TYPE_CHECKING:
    from paxos.testing.simulation.process import Process


def propose_relic(random: Random, process: Process, names: tuple[str, ...]) -> None:
    """Let a node propose something that rests on what is over."""
    elections, name = process.roles.learner.state.elections, random.choice(ELECTIONS)
    election, node = elections.by_name.get(name), random.choice(names)
    if election is None:
        return
    if random.random() < 0.3:
        _intend(random, process, name, election)
        return
    decree = _draw(random, name, election, node, elections.sessions.get(node))
    if decree is not None:
        process.submit_own(decree, lambda slot, result: None)


def _draw(
    random: Random, name: str, election: Election, node: str, session: NodeSession | None
) -> Decree | None:
    """Draw a decree about a node; now and then one that may take effect, whoever proposes it."""
    earlier = max(0, election.epoch - 1)
    match random.randrange(4):
        case 0:
            return Leadership(node, earlier + random.choice((0, 1, 2, 3)), name)
        case 1:
            return Proclaim(name, random.choice((earlier, election.epoch)), b"relic")
        case 2:
            return HandOver(name, earlier, node)
    if session is None or not session.renewal:
        return None
    if random.random() < 0.5 and session.boot:
        return Expire(node, session.boot - 1, session.renewal)
    return Expire(node, session.boot, session.renewal - 1)


def _intend(random: Random, process: Process, name: str, election: Election) -> None:
    """Intend an effect in an epoch in which this life of the node does not lead."""
    state, life = process.roles.learner.state, process.life
    session = state.elections.sessions.get(process.name)
    epoch = max(0, election.epoch - random.choice((0, 0, 1)))
    current = session is not None and session.boot >= process.roles.office.session.boot
    if current and (election.leader, election.epoch) == (process.name, epoch):
        return  # it may
    key = str(random.randint(0, int(process.true_time(process.clock()) / PERIOD)))

    def intended(slot: int, ruling: Result | Ruling | None) -> None:
        if isinstance(ruling, Intended):
            raise Violation(
                f"{process.name} may cause the effect {name}/{key} in epoch {epoch} "
                f"by slot {slot}, and did not lead in life {life}"
            )

    process.submit_own(Intend(name, key, epoch, -1, RETENTION), intended)
