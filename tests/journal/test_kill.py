"""A real process, killed while it writes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from paxos.journal import SqliteJournal
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Learned, Promised, Voted

WRITER = """
import sys
from paxos.journal import SqliteJournal
from paxos.protocol.ballot import Ballot
from paxos.protocol.records import Learned, Promised, Voted

journal = SqliteJournal(
    sys.argv[1], cluster="shop", node="node1", encode=str.encode, decode=bytes.decode
)
number = journal.frontier
while True:
    ballot = Ballot(number + 1, "node2")
    value = f"{number:1000}"
    journal.write([Promised(ballot), Voted(number, ballot, value), Learned(number, ballot, value)])
    print(number, flush=True)
    number += 1
"""


def test_no_acknowledged_record_is_lost_by_kill_9(
    tmp_path: Path, open_sqlite: Callable[[], SqliteJournal]
) -> None:
    boots: list[int] = []
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "node1.db")], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(50)]
        child.kill()
        acknowledged += map(int, child.stdout)
        child.stdout.close()
        child.wait()
        journal = open_sqlite()
        boots.append(journal.boot)
        promised, *log = journal.recover()
        assert isinstance(promised, Promised)
        assert promised.ballot.number >= acknowledged[-1] + 1
        values = [record.value for record in log if isinstance(record, Learned)]
        assert len(values) > acknowledged[-1]
        assert values == [f"{slot:1000}" for slot in range(len(values))]
        assert not any(isinstance(record, Voted) for record in log)
        assert promised == Promised(Ballot(len(values), "node2"))  # all of a write, or none
        journal.close()
    assert boots == sorted(set(boots))
