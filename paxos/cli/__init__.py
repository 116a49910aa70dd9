"""The command ``paxos``; it needs the extra ``cli``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    try:
        from paxos.cli.app import run
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(
            f"The command line needs {error.name}. Install it with: pip install 'trio-paxos[cli]'"
        )
    except KeyboardInterrupt:
        sys.exit(130)
    run()
