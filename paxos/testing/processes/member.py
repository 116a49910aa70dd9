"""One member of a `LocalCluster`: a process that runs a node, and ends when its parent does."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import trio

from paxos.errors import ConfigError
from paxos.node.cluster import Cluster
from paxos.node.lifeline import end_with_parent
from paxos.node.serving import serve
from paxos.replicated.state import StateMachine


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="A member of a cluster under test.")
    parser.add_argument("--cluster", type=Path, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--machine", required=True, help="such as package.module:Class")
    options = parser.parse_args()
    end_with_parent()
    machine = load_machine(options.machine)
    trio.run(serve, Cluster.load(options.cluster), options.node, options.data, machine, _say)


def load_machine(name: str) -> StateMachine:
    """Make a state machine of the class ``package.module:Class``; raise `ConfigError` if none."""
    module, _, attribute = name.partition(":")
    try:
        machine: StateMachine = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"there is no state machine {name}: {error}; write it as package.module:Class"
        ) from error
    return machine


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
