"""A guardian and its command: real processes, short."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import trio
from trio.testing import MockClock

import paxos
from paxos.cli import guardian
from paxos.cli.ward import CommandNotStarted, Ward, lease_end, open_ward

LIMIT = 20.0
LONG = 1000.0


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(LIMIT):
        while not condition():
            await trio.sleep(0.005)


async def process_in(file: Path) -> int:
    await until(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


async def start(ward: Ward, script: str, lease: float = LONG, grace: float = 0.3) -> float:
    end = guardian.now() + lease
    with trio.fail_after(LIMIT):
        await ward.run(shell(script), {"PAXOS_EPOCH": "7"}, grace, end)
    return end


async def test_a_command_has_its_environment_and_its_status_is_told(tmp_path: Path) -> None:
    async with open_ward() as ward:
        await start(ward, f"echo $PAXOS_EPOCH $HOME > {tmp_path}/out; exit 3")
        await ward.ended()
        assert (ward.status, ward.ending, ward.left) == (3, False, 0)
    assert (tmp_path / "out").read_text() == f"7 {os.environ['HOME']}\n"


async def test_a_command_that_a_signal_ends_says_which() -> None:
    async with open_ward() as ward:
        await start(ward, "kill -USR1 $$; sleep 100")
        await ward.ended()
        assert ward.status == -signal.SIGUSR1


async def test_what_cannot_be_started_is_explained() -> None:
    async with open_ward() as ward:
        with pytest.raises(CommandNotStarted, match=r"/no/such cannot be run: .*No such file"):
            await ward.run(["/no/such"], {}, 0.3, guardian.now() + LONG)


async def test_a_lease_that_is_not_renewed_ends_the_command_in_time(tmp_path: Path) -> None:
    async with open_ward() as ward:
        script = (
            f"trap 'echo told > {tmp_path}/out; exit 0' TERM; echo $$ > {tmp_path}/pid; "
            "while :; do sleep 0.01; done"
        )
        await start(ward, script, grace=4.0)
        await process_in(tmp_path / "pid")
        end = guardian.now() + 4.2
        await ward.renew(end)
        await ward.ended()
        assert guardian.now() < end
        assert (ward.status, ward.ending) == (0, True)
    assert (tmp_path / "out").read_text() == "told\n"


async def test_a_command_that_ignores_the_request_is_killed_in_time(tmp_path: Path) -> None:
    async with open_ward() as ward:
        script = f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.01; done"
        await start(ward, script)
        await process_in(tmp_path / "pid")
        end = guardian.now() + 0.5
        await ward.renew(end)
        await ward.ended()
        assert guardian.now() < end + 0.5  # whatever the machine is busy with
        assert (ward.status, ward.ending) == (-signal.SIGKILL, True)


async def test_a_stopped_command_is_killed_in_time_too() -> None:
    async with open_ward() as ward:
        await start(ward, "kill -STOP $$", lease=1.0)
        await ward.ended()
        assert ward.status in (-signal.SIGTERM, -signal.SIGKILL)


async def test_a_renewed_lease_lets_the_command_go_on() -> None:
    async with open_ward() as ward:
        await start(ward, "sleep 100")
        await ward.renew(guardian.now() + 0.5)
        await ward.renew(guardian.now() + LONG)
        with trio.move_on_after(0.7):
            await ward.ended()
        assert ward.status is None


async def test_signals_are_passed_on(tmp_path: Path) -> None:
    async with open_ward() as ward:
        await start(
            ward, f"trap 'exit 9' HUP; echo $$ > {tmp_path}/pid; while :; do sleep 0.01; done"
        )
        await process_in(tmp_path / "pid")
        await ward.signal(signal.SIGHUP)
        await ward.ended()
        assert (ward.status, ward.ending) == (9, False)


@pytest.mark.parametrize(("hangup", "status"), [(signal.SIG_IGN, 7), (signal.SIG_DFL, -1)])
async def test_a_command_is_as_deaf_to_a_hangup_as_who_starts_it(
    hangup: signal.Handlers, status: int
) -> None:
    before = signal.signal(signal.SIGHUP, hangup)
    try:
        async with open_ward() as ward:
            await start(ward, "kill -HUP $$; exit 7")
            await ward.ended()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert ward.status == status


async def test_many_may_speak_to_the_guardian_at_once(tmp_path: Path) -> None:
    async with open_ward() as ward:
        script = f"trap 'exit 9' HUP; echo $$ > {tmp_path}/pid; while :; do sleep 0.01; done"
        await start(ward, script)
        await process_in(tmp_path / "pid")
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(ward.renew, guardian.now() + LONG)
            nursery.start_soon(ward.signal, signal.SIGHUP)
        await ward.ended()
        assert ward.status == 9


async def test_a_signal_waits_for_the_command_to_start(autojump_clock: MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    ward = Ward(cast("trio.Process", None), cast("trio.SocketStream", ours))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ward.listen)
        nursery.start_soon(ward.signal, signal.SIGHUP)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ward.run, ["true"], {}, 0.3, 9.0)
        assert (await theirs.receive_some()).startswith(b"run ")
        await trio.testing.wait_all_tasks_blocked()
        await theirs.send_all(b"started 7\n")
        assert await theirs.receive_some() == b"signal 1\n"
        await theirs.aclose()


async def test_a_command_that_is_told_to_stop_has_its_time_and_no_more(tmp_path: Path) -> None:
    async with open_ward() as ward:
        await start(ward, f"trap '' INT; echo $$ > {tmp_path}/pid; while :; do sleep 0.01; done")
        await process_in(tmp_path / "pid")
        await ward.stop(signal.SIGINT, 0.05)
        await ward.ended()
        assert (ward.status, ward.ending) == (-signal.SIGKILL, True)


RUNAWAY = "setsid sh -c 'echo $$ > {file}; exec sleep 100' & while [ ! -s {file} ]; do :; done; "


async def test_what_a_command_leaves_behind_is_ended_wherever_it_went(tmp_path: Path) -> None:
    async with open_ward() as ward:
        await start(ward, RUNAWAY.format(file=tmp_path / "pid") + "exit 0")
        await ward.ended()
        assert (ward.status, ward.left) == (0, 0)
    assert not alive(await process_in(tmp_path / "pid"))


async def test_leaving_the_block_ends_everything(tmp_path: Path) -> None:
    async with open_ward() as ward:
        script = RUNAWAY.format(file=tmp_path / "one") + f"echo $$ > {tmp_path}/two; sleep 100"
        await start(ward, script)
        one, two = await process_in(tmp_path / "one"), await process_in(tmp_path / "two")
        assert alive(one)
        assert alive(two)
    assert not alive(one)
    assert not alive(two)


async def test_a_node_that_dies_with_words_unread_takes_the_command_along(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with theirs, ours:
        arguments = [sys.executable, "-I", "-S", guardian.__file__, str(theirs.fileno())]
        process = await trio.lowlevel.open_process(arguments, pass_fds=[theirs.fileno()])
        script = RUNAWAY.format(file=tmp_path / "pid") + "sleep 100"
        run = f"run 0.3 {guardian.now() + LONG} {json.dumps([shell(script), {}])}\n"
        ours.sendall(run.encode())
        runaway = await process_in(tmp_path / "pid")
        assert alive(runaway)
    with trio.fail_after(LIMIT):  # "started" was never read, so the kernel reports a reset
        assert await process.wait() == 0
    assert not alive(runaway)


async def test_a_guardian_that_is_killed_takes_its_command_along(tmp_path: Path) -> None:
    async with open_ward() as ward:
        await start(ward, f"sleep 100 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/pid; wait")
        command, child = await process_in(tmp_path / "pid"), await process_in(tmp_path / "child")
        os.kill(ward._process.pid, signal.SIGKILL)
        await ward.ended()
        await until(lambda: not alive(command))
    await until(lambda: not alive(child))


async def test_a_guardian_nobody_used_is_gone_after_the_block() -> None:
    began = time.monotonic()
    async with open_ward() as ward:
        process = ward._process.pid
    assert not alive(process)
    assert time.monotonic() - began < LIMIT


class Sleeper:
    """A machine that is suspended before a certain look at one of its clocks; and a term there."""

    def __init__(self, look: int) -> None:
        self.boot_time, self.trio, self.end = 100.0, 50.0, 110.0
        self.looks, self.suspended = 0, look

    def look(self) -> None:
        self.looks += 1
        if self.looks == self.suspended:
            self.boot_time += 5.0

    def now(self) -> float:
        self.look()
        return self.boot_time

    def current_time(self) -> float:
        self.look()
        return self.trio

    @property
    def valid_until(self) -> float:
        self.look()
        return self.end - (self.boot_time - self.trio)


@pytest.mark.parametrize("look", [1, 2, 3])
def test_end_of_a_lease_is_not_put_off_by_a_suspended_machine(
    look: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = Sleeper(look)
    monkeypatch.setattr(guardian, "now", sleeper.now)
    monkeypatch.setattr(trio, "current_time", sleeper.current_time)
    assert sleeper.end - 5.0 <= lease_end(cast("paxos.Term", sleeper)) <= sleeper.end
