"""``python -m proof linearize``: two serve processes, many orders, three clients at each."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from bench.stack import stack
from proof.linear.workload import judged
from proof.parts import Part, Row

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

ORDERS = 1000
COMMAND = "PYTHONPATH=tools python -m proof linearize"


def run(asked: Namespace) -> Sequence[Row]:
    """Every order's history has to be explained by some order of its calls; the books have to be right."""
    seed = asked.seed or SystemRandom().randrange(1, 2**31)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"SIMULATOR_DB": str(Path(folder) / "simulator.sqlite3")}
        with stack(Path(".data"), 2, settings) as running:
            addresses = [f"http://{host}:{port}" for host, port in running.addresses]
            calls, wrong = asyncio.run(judged(addresses, seed, asked.orders))
            code, said = running.verify()
    if code:
        wrong.append(said)
    for each in wrong:
        print(f"WRONG  {each}", flush=True)
    tried = f"calls at {asked.orders} orders, three clients at each, two processes: linearizable"
    return [Row(tried, calls, tuple(wrong), str(seed), f"{COMMAND} --seed {seed} --orders {asked.orders}")]


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="what the clients do (not who is quicker)")
    parser.add_argument("--orders", type=int, default=ORDERS)


PART = Part("linearize", "concurrent histories of the API against a sequential model", _arguments, run)
