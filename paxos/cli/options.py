"""Options that several commands share."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Final

import click


class Number(click.FloatRange):
    """A range of numbers; "nan" is none, though no comparison tells."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number", param, ctx)
        return number


class Duration(click.ParamType[float]):
    """A number with ``ms``, ``s``, ``m`` or ``h``; without, of seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        if isinstance(value, float):
            return value
        given = _DURATION.fullmatch(value)
        if given is None:
            self.fail(f"{value!r} is no duration: give one such as 1s, 250ms or 2m", param, ctx)
        return float(given[1]) * _SECONDS[given[2]]


_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}

DURATION: Final = Duration()

CLUSTER: Final = click.option(
    "--cluster",
    "cluster_file",
    type=click.Path(path_type=Path),
    required=True,
    help="The cluster's file, as written by `paxos init`; the key file lies beside it.",
)
NODE: Final = click.option("--node", required=True, help="Which member to be, such as node1.")
DATA: Final = click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The node's journal; made if missing. Never copy or restore it.",
)
JSON: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, and nothing else, on standard output."
)
