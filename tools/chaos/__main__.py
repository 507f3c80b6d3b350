"""``python -m chaos``: outages of real parts under load, each with an audit; one table; 1 when anything is wrong.

The outages are tests, so that a part of them is in `make test`; here all are run, one after another, with one seed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

import pytest

from chaos.outcomes import Outcomes
from proof import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
WHERE = (
    "tests/chaos/test_outages.py",
    "tests/chaos/test_network.py",
    "tests/chaos/test_clocks.py",
    "tests/chaos/test_kill.py",
    "tests/deploy/test_rolling_restart.py",
)
"""In the order in which they are run and stand in the table."""
WITHIN_S = 540.0
"""None is begun after so long, so that all of them take ten minutes at most; what was not begun is a failure."""


def main() -> int:
    """Run what is asked for."""
    asked = _arguments(sys.argv[1:])
    seed = asked.seed or SystemRandom().randrange(1, 2**31)
    os.environ |= {"CHAOS": "all", "CHAOS_SEED": str(seed)}
    outcomes = Outcomes(ends_at=time.monotonic() + asked.within_s)
    begun = time.monotonic()
    arguments = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(ROOT),
        *(["-k", asked.only] if asked.only else []),
    ]
    code = pytest.main([*arguments, *(str(ROOT / each) for each in WHERE)], plugins=[outcomes])
    rows = outcomes.rows(seed)
    took = f"Seed {seed}. Took: {time.monotonic() - begun:.0f} s."
    parts.leave(parts.REPORTS / "chaos.md", "Outages", [*parts.lines(rows), "", took])
    return 1 if code or any(row.found for _, row in rows) else 0


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos CHAOS_ARGS=...", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="what the customers want (not who is quicker)")
    parser.add_argument("--only", default="", help="outages whose test's name fits, as pytest's -k has it")
    parser.add_argument("--within-s", type=float, default=WITHIN_S, help="begin none after so many seconds")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
