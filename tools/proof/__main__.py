"""``python -m proof crash [--sample] [--only TEXT] [--workers N]``: run the table; 1 when anything is wrong."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from proof import table
from proof.place import server

REPORTS = Path("build/reports")


def main() -> int:
    """Run what is asked for."""
    asked = _arguments()
    gc.freeze()  # children that are forked share what is there now
    return _crash(asked)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    parser.add_argument("what", choices=["crash"])
    parser.add_argument("--sample", action="store_true", help="one case for each kind of point")
    parser.add_argument("--only", default="", help="only operations and faults in whose name this occurs")
    parser.add_argument("--json", type=Path, help="also write every verdict here")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    return parser.parse_args()


def _crash(asked: argparse.Namespace) -> int:
    begun = time.monotonic()
    with server() as on:
        run = table.Table(on, asked.workers, asked.only)
        run.run_sample() if asked.sample else run.run()
    report = REPORTS / "crash-table.md"
    table.write(report, run.verdicts, time.monotonic() - begun)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(verdict) for verdict in run.verdicts]))
    print(f"{len(run.verdicts)} cases, {len(run.wrong)} wrong; the table is in {report}")
    return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
