"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

CLUSTER: Final = click.option(
    "--cluster",
    "cluster_file",
    type=click.Path(path_type=Path),
    required=True,
    help="The cluster's file, as written by `paxos init`; the key file lies beside it.",
)
JSON: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, and nothing else, on standard output."
)
