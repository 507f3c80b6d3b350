"""Prints requirements.lock without what only builds the wheel: what an image or an installation consists of.

``python3 tools/shipped.py``; the Dockerfile names what it takes out again once the wheel is built.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
_TAKEN_OUT = re.compile(r"pip uninstall --yes \\\n\s*((?:[a-z][a-z-]* )+)")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def builds_only() -> set[str]:
    """The packages that the Dockerfile takes out again."""
    found = _TAKEN_OUT.search((ROOT / "Dockerfile").read_text())
    if found is None:
        raise SystemExit("shipped: the Dockerfile takes nothing out")
    return set(found[1].split())


def shipped(lock: str, without: set[str]) -> str:
    """The lock file without these packages and their hashes."""
    entries = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)
    return "".join(
        entry for entry in entries if (name := _NAME.match(entry)) is None or name[0] not in without
    )


if __name__ == "__main__":
    print(shipped((ROOT / "requirements.lock").read_text(), builds_only()), end="")
