"""Who may import whom (the house in the design): read from the source, nothing is run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MEMBER = {"protocol", "replicated", "wire", "journal", "transport", "node"}
"""What a member of a cluster is made of."""

BELOW = {
    "protocol": set(),
    "replicated": {"protocol"},
    "wire": {"protocol", "replicated"},
    "journal": {"protocol", "replicated", "forks"},
    "transport": {"protocol", "replicated", "forks"},
    "node": {"protocol", "replicated", "wire", "journal", "transport", "forks"},
    "machines": {"wire"},
    "testing": MEMBER | {"fencing", "machines", ""},
    "cli": MEMBER | {"testing", "demo", "fencing", "machines", ""},
    "demo": MEMBER | {"fencing", ""},
    "fencing": set(),
    "blocking": {"node", ""},
    "aio": {"node", ""},
    "errors": set(),
    "forks": set(),
    "": {"protocol", "replicated", "journal", "node"},
}
"""By layer, the layers that it may import; each may import itself and ``paxos.errors`` besides.

The empty name is ``paxos/__init__.py``, the face that the top layers may use as a user does.
"""

PURE = {
    "__future__",
    "attrs",
    "collections",
    "enum",
    "itertools",
    "math",
    "operator",
    "typing",
    "zlib",
}
"""All that the pure layers take from elsewhere: no clock, randomness, socket, disk or Trio.

Of ``zlib`` it is the checksum, which is arithmetic."""

FILES = sorted((ROOT / "paxos").rglob("*.py"))


def layer_of(file: Path) -> str:
    """Return the first name below ``paxos``; the package itself has none."""
    first = file.relative_to(ROOT / "paxos").parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{file}: imports are absolute"
            assert node.level == 0, f"{file}: imports are absolute"
            if node.module == "paxos":
                yield from (f"paxos.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_file_imports_only_layers_below_its_own(file: Path) -> None:
    layer = layer_of(file)
    assert layer in BELOW, f"{layer} is no layer of the design"
    for name in imported(file):
        top, _, rest = name.partition(".")
        assert top not in {"tests", "benchmarks"}, f"{file} imports {name}"
        if top == "paxos":
            allowed = BELOW[layer] | {layer, "errors"}
            assert rest.split(".")[0] in allowed, f"{file} imports {name}"


@pytest.mark.parametrize("layer", ["protocol", "replicated"])
def test_pure_layers_import_neither_clock_nor_randomness_nor_input_and_output(layer: str) -> None:
    for file in (ROOT / "paxos" / layer).rglob("*.py"):
        foreign = {name.partition(".")[0] for name in imported(file)} - {"paxos"}
        assert foreign <= PURE, f"{file} imports {foreign - PURE}"


def test_fencing_needs_only_the_standard_library_for_a_resource_is_no_member() -> None:
    for file in (ROOT / "paxos" / "fencing").rglob("*.py"):
        foreign = {name.partition(".")[0] for name in imported(file)} - {"paxos", "_typeshed"}
        assert foreign <= sys.stdlib_module_names, f"{file} imports {foreign}"
