"""What must hold of every run of the explored roles, and what some run must show.

A property of facts alone is computed once for each set of the facts that it is about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from paxos.protocol.acceptor import Acceptor
from paxos.protocol.ballot import Ballot
from paxos.protocol.messages import Accept, Accepted, Promise, Rejected
from paxos.protocol.quorums import Majority
from paxos.protocol.records import Promised, Voted
from paxos.protocol.values import NOOP, Value
from paxos.testing.facts import Asked, Delivered, Fact, Kept, Restarted, Sent
from paxos.testing.paxos_model import PaxosModel, Size, State


def paxos_model(size: Size) -> PaxosModel:
    """Return the model of a cluster with all its properties."""
    model = PaxosModel(size)
    _add_safety(model)
    _add_sightings(model)
    return model


def chosen(quorums: Majority, facts: Iterable[Fact]) -> set[tuple[int, Ballot, Value]]:
    """Return what a quorum durably voted for, each vote at one ballot: slot, ballot and value."""
    voters: dict[tuple[int, Ballot, Value], set[str]] = defaultdict(set)
    for fact in facts:
        if isinstance(fact, Kept) and isinstance(fact.record, Voted):
            record = fact.record
            voters[record.slot, record.ballot, record.value].add(fact.node)
    return {vote for vote, nodes in voters.items() if quorums.is_accept_quorum(vote[0], nodes)}


def _add_safety(model: PaxosModel) -> None:
    quorums = model.quorums

    def agreement(facts: list[Fact]) -> bool:
        return _is_function((slot, value) for slot, _, value in chosen(quorums, facts))

    def integrity(facts: list[Fact]) -> bool:
        asked = {fact.value for fact in facts if isinstance(fact, Asked)} | {NOOP}
        return all(value in asked for _, _, value in chosen(quorums, facts))

    def one_proposal(facts: list[Fact]) -> bool:
        accepts = (message for message in _messages(facts) if isinstance(message, Accept))
        return _is_function(((accept.slot, accept.ballot), accept.value) for accept in accepts)

    def adopted(facts: list[Fact]) -> bool:
        accepts = [message for message in _messages(facts) if isinstance(message, Accept)]
        return not any(
            accept.slot == slot and accept.ballot > ballot and accept.value != value
            for slot, ballot, value in chosen(quorums, facts)
            for accept in accepts
        )

    def delivered(facts: list[Fact]) -> bool:
        true = {(slot, value) for slot, _, value in chosen(quorums, facts)}
        deliveries = [fact for fact in facts if isinstance(fact, Delivered)]
        return all((fact.slot, fact.value) in true for fact in deliveries)

    def in_order(facts: list[Fact]) -> bool:
        return all(fact.slot == fact.position for fact in facts if isinstance(fact, Delivered))

    votes = _about(Voted, Asked)
    model.always |= {
        "at most one value is chosen for a slot": _cached(model, votes, agreement),
        "only what was asked for is chosen": _cached(model, votes, integrity),
        "a ballot proposes one value for a slot": _cached(model, _about(Accept), one_proposal),
        "above a chosen ballot nothing else is proposed": _cached(
            model, _about(Accept, Voted), adopted
        ),
        "what is delivered is chosen": _cached(model, _about(Voted, Delivered), delivered),
        "slots are delivered in order, each once": _cached(model, _about(Delivered), in_order),
    }
    for seat, (node, kind) in enumerate(model.seats):
        if kind == "acceptor":
            name = f"{node} remembers what it promised and voted"
            model.always[name] = _memory(model, seat, node)


def _memory(model: PaxosModel, seat: int, node: str) -> Callable[[State], bool]:
    """Compare an acceptor with all that it ever said or made durable, in all of its lives."""
    said = model.facts.scope(
        lambda fact: _about(Promised, Voted, Promise, Accepted)(fact) and _origin(fact) == node
    )
    verdicts: dict[tuple[int, int], bool] = {}

    def remembers(state: State) -> bool:
        key = (state[seat], state[-1] & said.mask)
        verdict = verdicts.get(key)
        if verdict is None:
            verdict = verdicts[key] = _remembers(model.role(key[0]), model.facts.of(key[1]))
        return verdict

    return remembers


def _remembers(acceptor: Acceptor, said: Iterable[Fact]) -> bool:
    for fact in said:
        word: Any = fact.record if isinstance(fact, Kept) else getattr(fact, "message", None)
        if acceptor.promised < word.ballot:
            return False
        if isinstance(word, Voted | Accepted) and word.slot >= acceptor.frontier:
            vote = acceptor.votes.get(word.slot)
            if vote is None or vote.ballot < word.ballot:
                return False
    return True


def _add_sightings(model: PaxosModel) -> None:
    quorums = model.quorums
    votes = _about(Voted)

    def some(about: Callable[[Fact], bool], sees: Callable[[list[Fact]], bool]) -> Any:
        return _cached(model, about, sees)

    def chooses_of(node: str) -> Callable[[list[Fact]], bool]:
        return lambda facts: any(
            str(value).startswith(node) for _, _, value in chosen(quorums, facts)
        )

    for budget in model.size.proposers:
        if budget.values:
            name = f"a value of {budget.node} is chosen"
            model.sometimes[name] = some(votes, chooses_of(budget.node))
    model.sometimes |= {
        "an acceptor refuses": some(_about(Rejected), bool),
        "two ballots have votes in a slot": some(
            votes, lambda facts: not _is_function((v.slot, v.ballot) for v in _votes(facts))
        ),
        "a proposer adopts another's value": some(
            _about(Accept),
            lambda facts: any(
                isinstance(m, Accept) and not str(m.value).startswith((m.ballot.node, "no-op"))
                for m in _messages(facts)
            ),
        ),
    }
    if model.size.slots > 1:
        model.sometimes["a no-op is chosen below a command"] = some(
            votes, lambda facts: _fills_gap(chosen(quorums, facts))
        )
    if model.size.learners:
        model.sometimes["every learner delivers every slot"] = some(
            _about(Delivered),
            lambda facts: (
                len({(f.node, f.slot) for f in facts if isinstance(f, Delivered)})
                == model.size.slots * len(model.size.learners)
            ),
        )
    if model.size.crashes:
        model.sometimes["an acceptor restarts after it promised"] = some(
            _about(Restarted),
            lambda facts: any(isinstance(f, Restarted) and f.records for f in facts),
        )


def _cached(
    model: PaxosModel, about: Callable[[Fact], bool], holds: Callable[[list[Fact]], bool]
) -> Callable[[State], bool]:
    scope = model.facts.scope(about)
    verdicts: dict[int, bool] = {}

    def verdict(state: State) -> bool:
        mask = state[-1] & scope.mask
        known = verdicts.get(mask)
        if known is None:
            known = verdicts[mask] = holds(list(model.facts.of(mask)))
        return known

    return verdict


def _about(*kinds: type) -> Callable[[Fact], bool]:
    """Return the facts of these kinds, or that carry a record or message of these kinds."""

    def belongs(fact: Fact) -> bool:
        inner = getattr(fact, "record", None) or getattr(fact, "message", None)
        return isinstance(fact, kinds) or isinstance(inner, kinds)

    return belongs


def _origin(fact: Fact) -> str | None:
    return fact.source if isinstance(fact, Sent) else getattr(fact, "node", None)


def _messages(facts: Iterable[Fact]) -> Iterable[object]:
    return (fact.message for fact in facts if isinstance(fact, Sent))


def _votes(facts: Iterable[Fact]) -> Iterable[Voted]:
    records = (fact.record for fact in facts if isinstance(fact, Kept))
    return (record for record in records if isinstance(record, Voted))


def _is_function(pairs: Iterable[tuple[object, object]]) -> bool:
    """Tell whether nothing is paired with two different things."""
    image: dict[object, object] = {}
    return all(image.setdefault(one, other) == other for one, other in pairs)


def _fills_gap(chosen_votes: set[tuple[int, Ballot, Value]]) -> bool:
    values = {slot: value for slot, _, value in chosen_votes}
    return any(
        value == NOOP and values.get(slot + 1, NOOP) != NOOP for slot, value in values.items()
    )
