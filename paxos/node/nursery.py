"""A nursery for the inside of a context manager, which its user need not know of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def open_nursery() -> AsyncIterator[trio.Nursery]:
    """Open a Trio nursery that raises an error of its block as it is, unless others came with it.

    So ``except`` around ``async with`` catches what the block raised, and no group around it.
    """
    raised: BaseException | None = None
    alone = False
    try:
        async with trio.open_nursery() as nursery:
            try:
                yield nursery
            except BaseException as error:
                raised = error
                raise
    except BaseExceptionGroup as group:
        if group.exceptions != (raised,):
            raise
        alone = True
    if alone and raised is not None:
        raise raised
