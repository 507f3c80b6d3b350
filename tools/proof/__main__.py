"""``python -m proof [PART …]``: run one part of the proof, or all of them; 1 when anything is wrong."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from typing import TYPE_CHECKING

from proof import bad_input, parts, table
from proof.linear import run as linear
from proof.mutation import run as mutation
from proof.simulation import part as simulation

if TYPE_CHECKING:
    from proof.parts import Part

PARTS: tuple[Part, ...] = (table.PART, simulation.PART, linear.PART, bad_input.PART, mutation.PART)
"""In the order in which they are run and stand in the table."""


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    named = parser.add_subparsers(dest="part", metavar="PART")
    for part in PARTS:
        part.arguments(named.add_parser(part.name, help=part.about))
    asked = parser.parse_args()
    gc.freeze()  # children that are forked share what is there now
    chosen = [part for part in PARTS if asked.part in {None, part.name}]
    if asked.part is None:
        parts.forget(PARTS)
    wrong = [_run(part, asked if asked.part else parser.parse_args([part.name])) for part in chosen]
    parts.write(PARTS if asked.part is None else chosen)
    return 1 if any(wrong) else 0


def _run(part: Part, asked: argparse.Namespace) -> bool:
    """Whether anything was found."""
    begun = time.monotonic()
    rows = part.run(asked)
    parts.keep(part, rows, time.monotonic() - begun)
    return any(row.found for row in rows)


if __name__ == "__main__":
    sys.exit(main())
