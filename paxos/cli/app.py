"""All commands together."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Final

import click

from paxos.cli.group import FAILED, INTERRUPTED, Commands

NAMES: Final = (
    *("init", "serve", "elect", "status", "propose", "kv", "key"),
    *("verify", "readmit", "backup", "restore", "recover"),
    *("demo", "simulate", "chaos", "check"),
)
"""The commands; each is in the module of its name."""


class Paxos(Commands):
    """Imports a command when it is asked for: most need a part of the package only."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a newcomer wants them."""
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None if there is none of that name."""
        if cmd_name not in NAMES:
            return None
        command: click.Command = getattr(import_module(f"paxos.cli.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Paxos, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trio-paxos", prog_name="paxos")
def paxos() -> None:
    """Agree on one leader and one log, on machines of which some may fail.

    Start with `paxos demo` to see it work, or with `paxos init` to make a cluster.
    """


def run() -> None:
    """Run the command line and exit with its status."""
    _occupy_standard_files()
    try:
        paxos()
    except KeyboardInterrupt:  # before or after the command itself
        sys.exit(INTERRUPTED)
    except OSError as error:  # such as a full disk behind standard output
        about = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {about}{error.strerror or error}", err=True)
        _give_output_up()
        sys.exit(FAILED)


def _occupy_standard_files() -> None:
    """Put nothing in the place of each standard file that is closed.

    Else a file that is opened later, such as a journal's, takes its number, and what is said goes
    into that.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # which takes the lowest number that is free


def _give_output_up() -> None:
    """Drop what cannot be written, or else the interpreter would try again as it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
