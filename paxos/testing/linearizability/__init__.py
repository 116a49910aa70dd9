"""Whether a history is linearizable: whether one order of its operations explains all of it.

    recorder = Recorder()
    handle = recorder.invoke(process=1, f="write", key="x", value=3)
    ...
    handle.ok()  # or handle.fail(), or handle.info() where nobody knows
    verdict = check(recorder.history(), Register())
    assert verdict.linearizable, draw(verdict.window)

Each operation takes effect at one moment between its invocation and its completion. The check is
that of Wing and Gong, *Testing and Verifying Concurrent Objects*, with the improvements of Lowe,
*Testing for Linearizability*; each key is checked alone. A `Model` of your own says how one key
behaves when its operations come one after another:

    class Counter(Model):
        def init(self): return 0
        def apply(self, state, operation):
            if operation.f == "append":
                return [state + operation.value]
            return [state] if operation.result == state else []

Histories may also be read from JSON lines (`read_history`), as the command ``paxos check`` does.
"""

from paxos.testing.linearizability.history import History, Operation, Outcome
from paxos.testing.linearizability.lists import AppendList
from paxos.testing.linearizability.models import Model
from paxos.testing.linearizability.picture import draw
from paxos.testing.linearizability.reading import HistoryError, read_history
from paxos.testing.linearizability.recorder import Handle, Recorder
from paxos.testing.linearizability.register import Register
from paxos.testing.linearizability.verdict import ModelError, Verdict, check
from paxos.testing.linearizability.window import Window

__all__ = [
    "AppendList",
    "Handle",
    "History",
    "HistoryError",
    "Model",
    "ModelError",
    "Operation",
    "Outcome",
    "Recorder",
    "Register",
    "Verdict",
    "Window",
    "check",
    "draw",
    "read_history",
]
