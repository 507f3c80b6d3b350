"""What can go wrong with the embedded database, each with a message of one line for the person at the terminal."""

from __future__ import annotations


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be made, started or stopped."""


class DataDirInUse(EmbeddedError):
    """Another process has this data folder for itself."""
