"""Whole nodes on loopback, from threads."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

import paxos
import paxos.blocking
from paxos.forks import Private
from paxos.node.engine import Watcher
from tests.forking import LIMIT
from tests.machines import Adder

INTERNAL = {"propose_as", "decree", "send", "status", "readmit", "run", "farewell", "close"}
INTERNAL |= set(dir(Watcher)) | set(dir(Private)) | {"election", "process"}
"""What a node has for the package itself."""

OTHERWISE = {"lose", "stall", "error", "loss", "resign", "valid_until", "lose_in_fork", "give_up"}
"""What a term has for the package itself, or for tasks: a thread asks `check` and `valid_for`, and
leaves the block to resign."""


def test_threads_propose_together(node: paxos.blocking.Node) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = sorted(int(answer) for answer in pool.map(node.propose, [b"1"] * 50))
    assert answers == list(range(1, 51))
    node.barrier()
    assert node.position > 0
    assert node.statistics()["waiting"] == 0
    assert (node.name, node.closed) == ("node1", False)


def test_iterators_are_left_by_leaving_the_loop(node: paxos.blocking.Node) -> None:
    for leadership in node.leaderships():
        if leadership is not None:
            break
    assert str(leadership) == str(node.leader) == "leader=node1, epoch=1"
    node.propose(b"5")
    assert next(node.decisions())[1] == b"5"


def test_errors_are_the_same(node: paxos.blocking.Node) -> None:
    with pytest.raises(paxos.CommandFailed, match="invalid literal"):
        node.propose(b"x")
    with pytest.raises(TypeError, match="a command is bytes"):
        node.propose("1")  # type: ignore[arg-type]


def test_a_call_without_a_quorum_waits_only_so_long(tmp_path: Path) -> None:
    cluster = paxos.Cluster.local(3)
    with (
        ThreadPoolExecutor() as pool,
        paxos.blocking.open_node(cluster, "node1", data=tmp_path / "1.db", machine=Adder()) as node,
    ):
        with (
            pytest.raises(TimeoutError),
            paxos.blocking.fail_after(0.05),
            paxos.blocking.fail_after(LIMIT),  # the nearer one holds
        ):
            node.propose(b"1")
        assert node.statistics()["waiting"] == 0, "the command was withdrawn"
        waiting = pool.submit(node.propose, b"1")
        while not node.statistics()["waiting"]:
            pass
    with pytest.raises((paxos.OutcomeUnknown, paxos.NodeClosed)):
        waiting.result(LIMIT)
    with pytest.raises(paxos.NodeClosed):
        node.propose(b"1")


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    cluster = paxos.Cluster.local(1)
    with (
        pytest.raises(paxos.ConfigError, match="is no member"),
        paxos.blocking.open_node(cluster, "node9", data=tmp_path / "9.db", machine=Adder()),
    ):
        pass
    assert "paxos" not in {thread.name for thread in threading.enumerate()}


def test_the_error_of_a_body_comes_out_as_it_is(tmp_path: Path) -> None:
    cluster = paxos.Cluster.local(1)
    for error in (LookupError("mine"), KeyboardInterrupt()):
        with (
            pytest.raises(type(error)) as caught,
            paxos.blocking.open_node(cluster, "node1", data=tmp_path / "1.db", machine=Adder()),
        ):
            raise error
        assert caught.value is error


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_is_told_and_can_leave(node: paxos.blocking.Node) -> None:
    child = os.fork()
    if child == 0:
        try:
            node.propose(b"1")
        except paxos.ForkedProcess:
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert node.propose(b"1") == b"1"


def test_a_program_that_just_ends_resigns(tmp_path: Path) -> None:
    code = f"""
import paxos, paxos.blocking
from paxos.node.engine import Watcher
from tests.forking import LIMIT
from tests.machines import Adder
opened = paxos.blocking.open_node(
    paxos.Cluster.local(1), "node1", data={str(tmp_path / "1.db")!r}, machine=Adder()
)
print(opened.__enter__().propose(b"4").decode())
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "4\n", "")


def test_a_leader_in_a_thread_causes_effects_once_and_is_observed(
    node: paxos.blocking.Node,
) -> None:
    billing, effects = node.election("billing"), node.effects("billing")
    charged: list[paxos.Intent] = []

    def charge(intent: paxos.Intent) -> bytes:
        charged.append(intent)
        return b"receipt"

    def look_up(intent: paxos.Intent) -> bytes | None:
        raise AssertionError("nothing was tried before")

    with billing.lead(b"address") as term:
        term.check()
        assert 0 < term.valid_for <= 1
        assert billing.leader() == billing.view.leadership == term.leadership
        assert billing.candidates() == ()
        assert [effects.once("ann/1", charge, look_up) for _ in range(2)] == [b"receipt"] * 2
        assert effects.open_intents() == ()
        term.proclaim(b"elsewhere")
        assert next(billing.observe()).value == b"elsewhere"
    assert charged == [paxos.Intent("billing", "ann/1", term.epoch)]
    assert (billing.name, effects.name, billing.leader()) == ("billing", "billing", None)
    with pytest.raises(paxos.LeadershipLost):
        term.check()
    assert term.valid_for == 0
    with pytest.raises(paxos.NotLeading, match="node1 does not lead 'billing'"):
        effects.once("bob/1", charge, look_up)


def test_waiting_for_an_election_can_be_given_up(tmp_path: Path) -> None:
    cluster = paxos.Cluster.local(3)
    with (
        paxos.blocking.open_node(cluster, "node1", data=tmp_path / "1.db", machine=Adder()) as node,
        pytest.raises(TimeoutError),
        paxos.blocking.fail_after(0.05),
        node.election("billing").lead(),
    ):
        raise AssertionError("one of three does not elect")


class Broken(paxos.Instrument):
    """Has a bug, from a certain moment on."""

    armed = False

    def event(self, event: object) -> None:
        if self.armed:
            raise ZeroDivisionError("a bug")


def test_a_node_that_breaks_down_tells_every_caller_why(tmp_path: Path) -> None:
    broken, told = Broken(), list[BaseException]()

    def work(node: paxos.blocking.Node) -> None:
        try:
            while True:
                node.propose(b"1")
        except paxos.PaxosError as error:
            told.append(error)

    opened = paxos.blocking.open_node(
        paxos.Cluster.local(1),
        "node1",
        data=tmp_path / "1.db",
        machine=Adder(),
        instruments=(broken,),
    )
    with pytest.raises(ExceptionGroup, match="nursery") as caught, opened as node:  # noqa: PT012 - whole blocks
        node.propose(b"1")
        threads = [threading.Thread(target=work, args=[node]) for _ in range(4)]
        for thread in threads:
            thread.start()
        broken.armed = True
        for thread in threads:
            thread.join(LIMIT)
            assert not thread.is_alive()
        assert (node.closed, node.leader) == (True, None)
    assert caught.group_contains(ZeroDivisionError)
    assert len(told) == len(threads)
    for error in told:
        assert "ZeroDivisionError('a bug')" in f"{error} {error.__cause__}"


def test_a_node_that_is_left_ends_the_terms_of_all_threads(tmp_path: Path) -> None:
    """Else they would lead on, for their node does, which waits for them."""
    lost = list[str]()
    leads = threading.Event()

    def lead(node: paxos.blocking.Node) -> None:
        with suppress(paxos.NodeClosed), node.election("billing").lead() as term:
            leads.set()
            try:
                while True:
                    term.check()
            except paxos.LeadershipLost as error:
                lost.append(error.reason)
                raise

    cluster = paxos.Cluster.local(1)
    with paxos.blocking.open_node(
        cluster, "node1", data=tmp_path / "1.db", machine=Adder()
    ) as node:
        thread = threading.Thread(target=lead, args=[node], daemon=True)
        thread.start()
        assert leads.wait(LIMIT)
    thread.join(LIMIT)
    assert lost == ["resigned"]


@pytest.mark.parametrize("body", ["term.check()", "time.sleep(0.01)"])
def test_a_program_that_ends_does_not_wait_for_its_daemons(tmp_path: Path, body: str) -> None:
    code = f"""
import threading, time
import paxos, paxos.blocking, paxos.node.hosting
from tests.forking import LIMIT
from tests.machines import Adder
paxos.node.hosting.AT_EXIT = 1.0
def lead():
    with node.election("billing").lead() as term:
        leads.set()
        while True:
            {body}
leads = threading.Event()
opened = paxos.blocking.open_node(
    paxos.Cluster.local(1), "node1", data={str(tmp_path / "1.db")!r}, machine=Adder()
)
node = opened.__enter__()
threading.excepthook = lambda _: None
threading.Thread(target=lead, daemon=True).start()
leads.wait()
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@pytest.mark.parametrize("inner", [paxos.Node, paxos.Election, paxos.Effects, paxos.Term])
def test_every_method_is_there_with_the_same_parameters(inner: type) -> None:
    face = getattr(paxos.blocking, inner.__name__)
    public = {name for name in dir(inner) if not name.startswith("_")} - INTERNAL - OTHERWISE
    assert public <= set(dir(face)), f"paxos.blocking.{inner.__name__} lacks something"
    for name in public:
        if inspect.isfunction(getattr(inner, name)):
            theirs = inspect.signature(getattr(inner, name)).parameters
            assert list(inspect.signature(getattr(face, name)).parameters) == list(theirs)
