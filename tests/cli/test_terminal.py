"""How commands that run for long end."""

from __future__ import annotations

import signal

import pytest
import trio
import trio.testing

from paxos.cli.terminal import until_terminated


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_cancels_the_work(number: signal.Signals) -> None:
    async def work() -> str:
        signal.raise_signal(number)
        await trio.sleep_forever()
        raise AssertionError

    with trio.fail_after(5):
        assert await until_terminated(work) is None


async def test_the_work_ends_by_itself() -> None:
    async def work() -> str:
        await trio.lowlevel.checkpoint()
        return "done"

    assert await until_terminated(work) == "done"


async def test_who_was_started_deaf_to_a_hangup_stays_so() -> None:
    async def work() -> str:
        signal.raise_signal(signal.SIGHUP)
        await trio.testing.wait_all_tasks_blocked()
        return "done"

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert await until_terminated(work) == "done"
    finally:
        signal.signal(signal.SIGHUP, before)
