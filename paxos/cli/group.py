"""What errors and signals look like from outside: a sentence and an exit status, no traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from paxos.errors import ConfigError, PaxosError
from paxos.node.cluster import Member
from paxos.node.nursery import only_cause

FAILED: Final = 1
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130
"""The exit status after Ctrl-C, as a shell reports it."""
TERMINATED: Final = 143
"""The exit status after SIGTERM, where that does not count as success."""


class Commands(click.Group):
    """A group of commands; each may raise the package's errors or be interrupted."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit 1 for the package's errors, 2 for bad configuration."""
        try:
            return super().invoke(ctx)
        except (PaxosError, KeyboardInterrupt, BaseExceptionGroup) as error:
            cause = only_cause(error)
        if isinstance(cause, KeyboardInterrupt):
            ctx.exit(INTERRUPTED)
        if isinstance(cause, PaxosError):
            click.echo(f"Error: {cause}", err=True)
            ctx.exit(BAD_INPUT if isinstance(cause, ConfigError) else FAILED)
        raise cause


@contextmanager
def explaining(member: Member) -> Iterator[None]:
    """Explain the error of a system that does not let this member have its address."""
    try:
        yield
    except (OSError, BaseExceptionGroup) as error:
        cause = only_cause(error)
        if not isinstance(cause, OSError):
            raise
        raise PaxosError(
            f"{member.name} cannot use {member.address}: {cause.strerror}; "
            "does it run already, or does the cluster's file name another machine?"
        ) from None
