"""What can stop a command, as one line for a person and an exit code."""

from __future__ import annotations

from dataclasses import dataclass

WRONG_SETTING = 2
"""Exit code for a setting or an option that cannot be used, as for options that do not exist."""


FAULT = 70
"""Exit code for what should not have happened (EX_SOFTWARE of sysexits.h)."""


class CommandError(Exception):
    """Its text is one line that says what to do."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Line:
    """What is said of an error, and the exit code that goes with it."""

    text: str
    exit_code: int


def plain_line(error: Exception) -> Line | None:
    """The line for an error that is the installation's affair, None for one that is a fault of ours."""
    from eci_payments.settings import SettingsError
    from eci_payments.store.embedded import EmbeddedError
    from eci_payments.store.lane import DatabaseAway
    from eci_payments.store.migrate import MigrationRefused
    from eci_payments.store.reach import WrongVersion

    if isinstance(error, SettingsError):
        return Line(_one(error), WRONG_SETTING)
    if isinstance(error, EmbeddedError | MigrationRefused | DatabaseAway | WrongVersion):
        return Line(_one(error), 1)
    if isinstance(error, OSError) and error.filename is not None:
        return Line(f"{error.filename} cannot be used: {error.strerror}", 1)
    return None


def _one(error: Exception) -> str:
    return " ".join(str(error).split())
