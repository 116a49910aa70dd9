"""Runs a command for as long as it is told to, and leaves nothing of it behind.

``paxos elect`` starts this file as a process of its own, with the standard library alone, beside
its node. So the command is ended in time even when the node's process is killed or stopped, and
when it hangs. On the descriptor of the only argument there is a line for each event, both ways:

=========================== =================================================================
told                        meaning
=========================== =================================================================
``run GRACE UNTIL JSON``    start; JSON has the command's words and its additional environment
``until UNTIL``             the lease was renewed
``signal NUMBER``           pass a signal on to the command
``stop NUMBER SECONDS``     end the command: this signal now, SIGKILL after so many seconds
(end of file)               the node's process is gone: end everything at once
=========================== =================================================================

=========================== =================================================================
said                        meaning
=========================== =================================================================
``started PID``             the command runs, and leads a process group of this number
``failed TEXT``             it could not be started
``ending``                  the lease was not renewed in time, so it was sent SIGTERM
``left NUMBER``             so many processes that it started could not be ended
``ended STATUS``            it has ended, and so has everything that it started
=========================== =================================================================

UNTIL is when the lease ends, in seconds of the boot-time clock. SIGTERM comes GRACE seconds before,
SIGKILL in time to be felt before the end.

What is left behind is found by the kernel's own record of children, wherever it has moved to: this
process adopts every orphan below it. Should this process itself be killed, the kernel kills the
command at once, and ``paxos elect`` what is left in the command's process group.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SOONEST = 0.02
"""SIGKILL comes so long before the end of the lease, in seconds: a signal takes a moment."""

LOOK_EVERY = 0.1
"""The clock is looked at this often, in seconds: no alarm rings for a suspended machine."""

KILL_AGAIN = 0.01
"""Seconds between two rounds against processes that will not go, or that start others."""

GIVE_UP = 5.0
"""Seconds after which such processes are left: they belong to another user, or to the kernel."""

DEAF = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that end the node's process, and must not end this one first."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    """Ask the kernel for something about this process; silently in vain where there is no Linux."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(option, value, 0, 0, 0)


def now() -> float:
    """Return the seconds since the machine was started, those of its sleep included."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def children(process: int) -> list[int]:
    """Return the children of a process, by the kernel's record."""
    found = []
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += [int(child) for child in tasks.read_text().split()]
        except OSError:
            continue  # it has just ended
    return found


def descendants(process: int) -> list[int]:
    """Return everything below a process."""
    found = []
    for child in children(process):
        found += [child, *descendants(child)]
    return found


class Guardian:
    """One command, from its start to the end of all that it started."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self.woken, self.bell = socket.socketpair()
        self.unread = b""
        self.command: subprocess.Popen[bytes] | None = None
        self.grace = 0.0
        self.until = 0.0
        self.terminated = False
        self.kill_at = float("inf")

    def serve(self) -> None:
        """Work until the command has ended, or nobody wants it any more."""
        self.woken.setblocking(False)
        self.bell.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.bell.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            selector.register(self.woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(self.patience()):
                    if key.fileobj is self.woken:
                        self.woken.recv(4096)
                    elif not self.hear():
                        return
                if self.look():
                    return

    def patience(self) -> float | None:
        """Return how long nothing has to be done, in seconds."""
        if self.command is None:
            return None
        due = min(self.kill_at, self.until - SOONEST)
        if not self.terminated:
            due = min(due, self.until - self.grace)
        return min(max(due - now(), 0.0), LOOK_EVERY)

    def hear(self) -> bool:
        """Obey what was told; False when nobody is there any more."""
        try:
            told = self.control.recv(65536)
        except OSError:  # it was killed before it had read all
            told = b""
        *lines, self.unread = (self.unread + told).split(b"\n")
        for line in lines:
            self.obey(*line.decode().split(" ", 1))
        return told != b""

    def obey(self, word: str, rest: str = "") -> None:
        """Do what one line says."""
        if word == "run":
            grace, until, words = rest.split(" ", 2)
            self.grace, self.until = float(grace), float(until)
            self.run(*json.loads(words))
        elif word == "until":
            self.until = float(rest)
        elif word == "signal":
            self.signal(int(rest))
        elif word == "stop":
            number, seconds = rest.split(" ")
            self.terminate(int(number))
            self.kill_at = min(self.kill_at, now() + float(seconds))

    def run(self, words: list[str], environment: dict[str, str]) -> None:
        """Start the command in a process group of its own."""
        guardian = os.getpid()

        def prepare() -> None:
            for number in DEAF:
                if number != signal.SIGHUP or not self.nohup:
                    signal.signal(number, signal.SIG_DFL)
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != guardian:  # it was killed before it could be noticed
                os._exit(1)

        try:
            self.command = subprocess.Popen(  # noqa: S603 - what else is it for?
                words,
                env=os.environ | environment,
                process_group=0,
                preexec_fn=prepare,  # this process has one thread
                restore_signals=True,
            )
        except (OSError, ValueError) as error:
            self.say(f"failed {error}")
        else:
            self.say(f"started {self.command.pid}")

    def look(self) -> bool:
        """See to what is due; True when everything has ended."""
        if self.command is None:
            return False
        if self.command.poll() is None and now() < min(self.kill_at, self.until - SOONEST):
            if not self.terminated and now() >= self.until - self.grace:
                self.say("ending")
                self.terminate(signal.SIGTERM)
                self.kill_at = self.until - SOONEST  # a later renewal changes nothing any more
            return False
        self.end_all()
        self.say(f"ended {self.command.returncode}")
        return True

    def terminate(self, number: int) -> None:
        """Ask the command to end."""
        self.terminated = True
        self.signal(number)
        self.signal(signal.SIGCONT)  # a stopped process must run to hear it

    def signal(self, number: int) -> None:
        """Send a signal to the command's process group."""
        if self.command is not None and self.command.poll() is None:
            os.killpg(self.command.pid, number)

    def end_all(self) -> None:
        """Kill the command and all below this process, until nothing is left."""
        give_up = now() + GIVE_UP
        while True:
            left = descendants(os.getpid())
            for process in left:
                try:
                    os.kill(process, signal.SIGKILL)
                except OSError:
                    continue
            try:
                ended, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if self.command is not None and ended == self.command.pid:
                self.command.returncode = os.waitstatus_to_exitcode(status)
            if ended == 0 and now() > give_up:
                self.say(f"left {len(left)}")
                return
            if ended == 0:
                time.sleep(KILL_AGAIN)

    def say(self, text: str) -> None:
        """Tell the node's process, if it is there."""
        try:
            self.control.sendall(text.encode(errors="replace") + b"\n")
        except OSError:
            return


def main() -> None:
    """Guard one command."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    with socket.socket(fileno=int(sys.argv[1])) as control:
        control.set_inheritable(False)
        guardian = Guardian(control)
        for number in DEAF:
            signal.signal(number, signal.SIG_IGN)
        try:
            guardian.serve()
        finally:
            guardian.end_all()


if __name__ == "__main__":
    main()
