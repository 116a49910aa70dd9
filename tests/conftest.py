from __future__ import annotations

pytest_plugins = ["paxos.testing.pytest_plugin"]
