"""Known bugs, to be put into the roles on purpose: every one must be caught. This tests the tests.

Each is a function that takes a method's place, with a sentence that says which rule it breaks:

>>> with mutated("vote_is_no_promise") as bug:
...     bug.breaks
'A vote must raise the promise: else an older ballot is voted for after a newer one.'
"""

from paxos.testing.mutants import (  # noqa: F401 - they register theirs
    acceptor,
    effects,
    elections,
    learner,
    pauses,
    proposer,
    read_leases,
    reads,
    replicated,
    snapshots,
    storage,
)
from paxos.testing.mutants.registry import MUTANTS, FoundBy, Mutant, mutated

__all__ = ["MUTANTS", "FoundBy", "Mutant", "mutated"]
