"""All commands together."""

from __future__ import annotations

import sys

import click

from paxos.cli.chaos import chaos
from paxos.cli.check import check
from paxos.cli.demo import demo
from paxos.cli.group import INTERRUPTED, Commands
from paxos.cli.init import init
from paxos.cli.key import key
from paxos.cli.propose import propose
from paxos.cli.readmit import readmit
from paxos.cli.serve import serve
from paxos.cli.simulate import simulate
from paxos.cli.status import status


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trio-paxos", prog_name="paxos")
def paxos() -> None:
    """Agree on one leader and one log, on machines of which some may fail.

    Start with `paxos demo` to see it work, or with `paxos init` to make a cluster.
    """


for command in (
    init,
    serve,
    status,
    propose,
    key,
    readmit,
    demo,
    simulate,
    chaos,
    check,
):
    paxos.add_command(command)


def run() -> None:
    """Run the command line and exit with its status."""
    try:
        paxos()
    except KeyboardInterrupt:  # before or after the command itself
        sys.exit(INTERRUPTED)
