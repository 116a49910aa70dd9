"""What the docstring of `paxos.testing` shows works as it is pasted."""

from __future__ import annotations

import textwrap

import pytest

import paxos.testing
from paxos.testing import Simulation, Violation

pytest_plugins = ["pytester"]


def examples() -> list[str]:
    """Return the indented blocks of the docstring."""
    blocks, lines = [], (paxos.testing.__doc__ or "").splitlines()
    block: list[str] = []
    for line in [*lines, "end"]:
        if line.startswith("    ") or (not line and block):
            block.append(line)
        elif block:
            blocks.append(textwrap.dedent("\n".join(block)).strip() + "\n")
            block = []
    return blocks


def test_example_puts_a_machine_under_a_thousand_seeds_in_ten_lines() -> None:
    first = examples()[0]
    assert len([line for line in first.splitlines() if line]) <= 10
    assert "range(1000)" in first
    exec(first.replace("range(1000)", "range(3)"), {})


def test_example_finds_a_machine_that_is_not_deterministic() -> None:
    first = examples()[0].replace("range(1000)", "range(3)")
    broken = first.replace('return b"%d" % self.total\n', 'return b"%d" % id(self)\n', 1)
    assert broken != first
    with pytest.raises(Violation, match="differs"):
        exec(broken, {})


def test_example_with_the_fixture_takes_five_lines(pytester: pytest.Pytester) -> None:
    machine, test = examples()[:2]
    assert len([line for line in test.splitlines() if line]) <= 5
    plugins, function = test.split("\n", 1)
    pytester.makeconftest(plugins)
    kept = machine[: machine.index("check_machine(Total")]
    pytester.makepyfile(kept + function.replace("9))", "9), seeds=range(3))"))
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_simulation_is_public() -> None:
    outcome = Simulation(1, nodes=3, plan=(), duration=0.5).run()
    assert outcome.violation == ""
    assert outcome.answered > 10
