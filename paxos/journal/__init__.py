"""A node's memory: what it has begun, promised, voted and learned.

`base` says what a journal is, `sqlite` is the durable one (`tables` is what its file looks like and
`checks` what must be true of it, `beginning` how it begins, `open_votes` are what it must never
forget, `reading` is how it is read beside its writer, `compaction` keeps it small, `lock` keeps
others away from it, `witness` notices when it goes backwards, `aside` moves a damaged one out of
the way), and `memory` is the one for tests and simulation. `snapshots` is how a snapshot comes into
either; `verification` reads a file without changing it, and `seeding` makes backups and the
journals of new clusters.
"""

from paxos.journal.aside import set_aside
from paxos.journal.base import Journal, JournalCorrupt, JournalError
from paxos.journal.memory import MemoryJournal
from paxos.journal.sqlite import SqliteJournal

__all__ = [
    "Journal",
    "JournalCorrupt",
    "JournalError",
    "MemoryJournal",
    "SqliteJournal",
    "set_aside",
]
