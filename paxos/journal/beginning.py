"""How a journal begins, and with it each life of its node: what the file says first, and what next.

Text stands for what is no plain number, so that anybody can read it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from paxos.journal.base import JournalError
from paxos.journal.tables import FORMAT
from paxos.journal.witness import Mark
from paxos.protocol.ballot import Ballot

BOOT_CHANCE_BITS: Final = 10
"""So many bits, in microseconds, of each life's boot are random: less than a start takes."""


def check_place(path: Path) -> None:
    """See that a journal may be here, or be made; raise `JournalError` where not."""
    if path.is_dir():
        raise JournalError(f"journal {path} cannot be opened: it is a directory")
    if path.exists() and not path.is_file():
        raise JournalError(f"journal {path} cannot be opened: it is no ordinary file")
    if not path.parent.exists():
        raise JournalError(
            f"journal {path} cannot be opened: there is no directory {path.parent}; make it first"
        )


def first_facts(cluster: str, node: str, identity: int) -> dict[str, object]:
    """Return what a new journal says about itself."""
    return {
        "cluster": cluster,
        "node": node,
        "format": FORMAT,
        "identity": f"{identity:016x}",
        "boot": 0,
        "begun": str(Ballot.ZERO),
        "promised": str(Ballot.ZERO),
        "first": 0,
        "progress": "0 0 00000000 00000000",
        "doubt": "",
    }


def next_boot(last: int, wall_clock: Callable[[], float], random_bits: Callable[[int], int]) -> int:
    """Return a number above the last; above all of earlier lives, if the clock is right.

    A node whose journal was lost or went back must not take the boot of an earlier life: what
    that proposed would pass for its own. The clock makes boots rise all the same, and chance
    makes them differ where the clock is wrong.
    """
    now = int(wall_clock() * 1e6)
    return max(last, now) + 1 + random_bits(BOOT_CHANCE_BITS)


def parse_mark(identity: str, writes: str) -> tuple[Mark, int]:
    """Return the mark, and the checksum of the open votes."""
    count, chain, open_crc = writes.split(" ")
    return Mark(int(identity, 16), int(count), int(chain, 16)), int(open_crc, 16)


def parse_ballot(text: str) -> Ballot:
    """Return the ballot of which this is the text."""
    number, _, node = text.partition(".")
    return Ballot(int(number), node)
