"""A campaign on the workers of a Dask cluster, for more seeds than one machine can run.

It needs the extra ``campaign`` here, and this package and its extra on every worker.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import islice

from distributed import Client, as_completed

from paxos.testing.simulation.campaign import Setting, run_seeds
from paxos.testing.simulation.simulation import Outcome

PATIENCE = "10s"
"""How long the scheduler may take to answer."""

AHEAD = 4
"""Chunks of seeds under way for each thread of a worker."""


def run_on_dask(
    chunks: Iterator[range], setting: Setting, *, scheduler: str
) -> Generator[list[Outcome]]:
    """Run chunks of seeds; ``scheduler`` is an address such as ``tcp://host:8786``.

    Runs with a mutant change classes for a whole process, so its workers need one thread each.

    Raises:
        OSError: The scheduler does not answer.

    """
    with Client(scheduler, timeout=PATIENCE) as client, client.as_current():
        threads = sum(client.nthreads().values()) or 1
        first = islice(chunks, AHEAD * threads)
        futures = as_completed([client.submit(run_seeds, c, setting, pure=False) for c in first])
        for future in futures:
            for chunk in islice(chunks, 1):
                futures.add(client.submit(run_seeds, chunk, setting, pure=False))
            yield future.result()
