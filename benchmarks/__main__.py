"""``python -m benchmarks``; see `runner`."""

from __future__ import annotations

import sys

try:
    from benchmarks.runner import main
except ModuleNotFoundError as error:
    package = (error.name or "benchmarks").partition(".")[0]
    if package in ("benchmarks", "paxos"):
        raise
    sys.exit(f"The benchmarks need {package}. Install it with: pip install '.[bench]'")

if __name__ == "__main__":
    sys.exit(main())
