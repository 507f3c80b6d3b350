"""``python -m bench.refused``: what refusing costs, in microseconds of processor per 429.

One `serve` process whose keys may do one request per second is sent charges at a steady rate; all of its processor time
over the run is put down to the refusals. The work of the system on its sockets and its log counts too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from bench.flood import KEYS, TOO_MANY, WARM_UP_S, Sender, drive
from bench.stack import stack

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def processor_s(pid: int) -> float:
    """The processor time of a process and of the system on its behalf, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def main() -> int:
    """Measure and print; 1 when something else than a refusal was answered more than the limit allows."""
    asked = _arguments()
    settings = {"RATE_LIMIT_PER_KEY": "1", "RATE_LIMIT_PER_ADDRESS": "0", "BOOTSTRAP_API_KEY": KEYS["flood"]}
    with stack(asked.folder, 1, settings) as running:
        drive(running.addresses[0], [_sender(asked)], WARM_UP_S, f"w{os.getpid()}")
        flood, begun_s = _sender(asked), processor_s(running.pids[0])
        drive(running.addresses[0], [flood], asked.seconds, f"r{os.getpid()}")
        used_s = processor_s(running.pids[0]) - begun_s
    refused = flood.statuses[TOO_MANY]
    told = {
        "refused": refused,
        "refused_per_second": round(refused / asked.seconds),
        "microseconds_each": round(1e6 * used_s / max(refused, 1), 1),
        "others": flood.statuses.total() - refused,
    }
    print(json.dumps(told))
    return 0 if told["others"] <= refused / 50 else 1


def _sender(asked: argparse.Namespace) -> Sender:
    return Sender(KEYS["flood"], asked.rate, asked.connections)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.refused", description=__doc__)
    parser.add_argument("--rate", type=float, default=2000.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument(
        "--folder", type=Path, default=Path(".data"), help="where the database is made, and removed"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
