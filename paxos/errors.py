"""Everything that this package raises on purpose; each error says what happened and what to do."""

from __future__ import annotations


class PaxosError(Exception):
    """Base of every error of this package."""


class ConfigError(PaxosError):
    """A cluster's configuration cannot be used; the message names file, field and cure."""
