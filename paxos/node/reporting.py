"""What a node tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paxos.replicated.candidacy_states import Serving
from paxos.replicated.messages import Status

if TYPE_CHECKING:
    from paxos.node.services import Services


def statistics(services: Services) -> dict[str, int]:
    """Return counters of what was done and dropped, by name."""
    proposer, learner = services.roles.proposer, services.roles.learner.learner
    teacher = services.engine.teacher
    counts = (
        services.post.statistics() | services.proposals.statistics() | services.desk.statistics()
    )
    written = services.storage.statistics()
    return counts | {
        "frontier": learner.frontier,
        "lag": learner.target - learner.frontier,
        "readers": len(services.readers),
        "leased_reads": services.readers.leased,
        "pending": len(proposer.pending),
        "pending_dropped": proposer.pending.dropped,
        "proposals_dropped": proposer.dropped,
        "implausible": services.roles.implausible,
        "supplies_dropped": teacher.dropped,
        "supplies_refused": teacher.refused,
        "first": services.journal.first,
        **services.engine.snapshot_statistics(),
        "transactions": written.transactions,
        "transactions_in_loop": written.in_loop,
        "records": written.records,
    }


def status(services: Services, number: int) -> Status:
    """Return what this node tells a client about itself."""
    proposer, learner = services.roles.proposer, services.roles.learner
    candidacy, leadership = proposer.candidacy, services.view.leadership
    admission = services.roles.admission
    serving = isinstance(candidacy.state, Serving)
    role = "leader" if proposer.serving else "follower" if candidacy.why == "" else "candidate"
    why = admission.why or candidacy.why
    if not why and leadership is None:
        why = "a new leader is catching up" if serving else "waiting for the log"
    return Status(
        number=number,
        node=services.name,
        role=role,
        leadership=leadership,
        last_leadership=learner.state.leadership,
        ballot=max(candidacy.proposer.highest, services.roles.acceptor.promised),
        frontier=learner.learner.frontier,
        target=learner.learner.target,
        voting=admission.voting,
        why=why[:1000],
        first=services.journal.first,
        fetched=0 if learner.fetching is None else learner.fetching.arrived_bytes,
        fetching=0 if learner.fetching is None else learner.fetching.snapshot.length,
    )
