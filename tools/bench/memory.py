"""What one API process keeps in memory after many charges, and whether that grows.

The simulator keeps its record in a file here: in memory it would remember every charge, which no gateway's client does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

from bench import load
from bench.stack import stack
from bench.work import Charges

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bench.runs import Run

CONNECTIONS = 64
SAMPLES = 10
SLICE_S = 5
MEGABYTE = 1e6


def measure(
    asked: argparse.Namespace, said: Callable[[str], None]
) -> tuple[dict[str, list[Run]], dict[str, object], list[str]]:
    """The samples of the last stretch and of the one at half, the whole way, and what went wrong (wrong books too)."""
    wrong: list[str] = []
    way: list[Run] = []
    charged = 0
    with stack(asked.folder, 1, {"SIMULATOR_DB": ""}) as running:
        process = psutil.Process(running.pids[0])
        while charged < asked.memory_charges:
            outcome = load.run_apart(running.addresses, CONNECTIONS, SLICE_S, Charges(f"memory-{len(way)}"))
            charged += outcome.right
            wrong += outcome.wrong
            if not outcome.right:
                break
            resident = process.memory_info().rss / MEGABYTE
            way.append(
                {"charges": charged, "resident_mb": round(resident, 1), "per_second": outcome.per_second}
            )
            if len(way) % 5 == 1:
                said(f"{charged:9,} charges: {resident:.1f} MB")
        code, words = running.verify()
        if code:
            wrong.append(words)
    half = next(place for place, run in enumerate(way) if run["charges"] >= charged / 2)
    samples = max(1, min(SAMPLES, len(way) // 4))
    rounds = {"api-last": way[-samples:], "api-half": way[half : half + samples]}
    return rounds, {"charges": charged, "way": way}, wrong
