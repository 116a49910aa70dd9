"""A nursery for the inside of a context manager, and what the errors are that come out of one."""

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


def only_cause(error: BaseException) -> BaseException:
    """Unwrap the groups in which Trio reports what happened below a nursery.

    Ctrl-C outranks whatever it brought down. Where several errors came together the group that has
    them is returned.
    """
    while isinstance(error, BaseExceptionGroup):
        if error.subgroup(KeyboardInterrupt) is not None:
            return KeyboardInterrupt()
        if len(error.exceptions) > 1:
            break
        error = error.exceptions[0]
    return error
