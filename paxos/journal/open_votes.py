"""The votes in slots that are not learned: no row of one may vanish unnoticed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from paxos.journal.checks import check_open_votes
from paxos.protocol.ballot import Ballot

_OPEN_VOTES = "SELECT slot, number, node, crc FROM votes WHERE slot >= ?"

_NO_VOTE = (Ballot.ZERO, 0)


class OpenVotes:
    """Ballot and checksum of each, and the checksums of all, combined by exclusive or.

    Raises:
        JournalCorrupt: Those in the file, from ``frontier`` on, are not those that are expected.

    """

    def __init__(self, db: sqlite3.Connection, path: Path, frontier: int, expected: int) -> None:
        rows = db.execute(_OPEN_VOTES, (frontier,)).fetchall()
        self._votes = {row[0]: (Ballot(row[1], row[2]), row[3]) for row in rows}
        check_open_votes(path, frontier, (crc for _, crc in self._votes.values()), expected)
        self.crc = expected

    def put(self, slot: int, ballot: Ballot, crc: int) -> None:
        """Note a vote, which replaces an earlier one in its slot."""
        _, replaced = self._votes.get(slot, _NO_VOTE)
        self._votes[slot] = ballot, crc
        self.crc ^= replaced ^ crc

    def take(self, slot: int) -> Ballot:
        """Let go of the vote in a slot that is learned; return its ballot, or `Ballot.ZERO`."""
        ballot, crc = self._votes.pop(slot, _NO_VOTE)
        self.crc ^= crc
        return ballot

    def take_below(self, frontier: int) -> None:
        """Let go of all votes below a slot."""
        for slot in [slot for slot in self._votes if slot < frontier]:
            self.take(slot)
