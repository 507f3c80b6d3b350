"""Tours in the documents: what is to be pasted into a shell, and what is said to come of it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
SERVICE = "http://127.0.0.1:8086"
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Tour:
    """One heading's commands as one script, and the lines that they are said to print."""

    name: str
    script: str
    shown: list[str]

    def run(self, service: str, before: str, folder: Path, environment: Mapping[str, str]) -> list[str]:
        """What a shell prints for it, after the commands that stand before every tour."""
        done = subprocess.run(
            ["/bin/sh", "-c", (before + self.script).replace(SERVICE, service)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return done.stdout.splitlines()


def tour_of(name: str, text: str) -> Tour:
    """The tour in this part of a document."""
    blocks = BLOCK.findall(text)
    script = "".join(code for kind, code in blocks if kind == "sh")
    return Tour(
        name, script, [line for kind, output in blocks if kind == "text" for line in output.splitlines()]
    )


def tours_of(document: Path) -> tuple[str, list[Tour]]:
    """What stands before the first heading of a document, as a script, and the tour under each heading."""
    parts = HEADING.split(document.read_text())
    return tour_of("", parts[0]).script, [
        tour_of(name, text) for name, text in zip(parts[1::2], parts[2::2], strict=True)
    ]
