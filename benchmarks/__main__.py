"""``python -m benchmarks``; see `runner`."""

from __future__ import annotations

import sys

try:
    from benchmarks.runner import main
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] in ("benchmarks", "paxos"):
        raise
    sys.exit(f"The benchmarks need {error.name}. Install it with: pip install '.[bench]'")

if __name__ == "__main__":
    sys.exit(main())
