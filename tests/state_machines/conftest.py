from __future__ import annotations

import pytest

from paxos.machines import (
    KeyValue,
    KeyValueClient,
)
from tests.state_machines.asking import client_of


@pytest.fixture
def machine() -> KeyValue:
    return KeyValue()


@pytest.fixture
def client(machine: KeyValue) -> KeyValueClient:
    return client_of(machine)
