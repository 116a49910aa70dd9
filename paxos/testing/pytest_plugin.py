"""The fixture ``check_machine``: say ``pytest_plugins = ["paxos.testing.pytest_plugin"]``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from paxos.testing.machines import check_machine


@pytest.fixture(name="check_machine")
def check_machine_fixture() -> Callable[..., None]:
    """Return `paxos.testing.check_machine`: call it with a machine, commands and seeds."""
    return check_machine
