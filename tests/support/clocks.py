"""Processes whose clock is wrong: libfaketime, as Debian packages it, moves the time of day and nothing else."""

from __future__ import annotations

from pathlib import Path

PACKAGE = "libfaketime"
_PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


def library() -> Path | None:
    """The library that does it; None where it is not installed."""
    found = (path for place in _PLACES for path in Path(place).glob("**/faketime/libfaketime.so.1"))
    return next(found, None)


def wrong_by(seconds: int) -> dict[str, str]:
    """What a process has in its environment whose time of day is off by so much; waits last as long as ever."""
    found = library()
    assert found is not None
    return {"LD_PRELOAD": str(found), "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
