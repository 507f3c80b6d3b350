"""``python -m proof linearize``: a worker and three serve processes, one of them killed half-way; many orders."""

from __future__ import annotations

import asyncio
import os
import signal
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

ORDERS = 500
AT_ONCE = 24
SERVES = 3
PATIENCE = {"GATEWAY_TIMEOUT_S": "2", "OPERATION_LEASE_S": "5"}
"""Short, so that what nobody answered for is recovered before the last look."""
SETTLE_S = 15
COMMAND = "PYTHONPATH=tools python -m proof linearize"


def run(asked: Namespace) -> Sequence[Row]:
    """Every order's history has to be explained by some order of its calls; the books have to be right."""
    seed = asked.seed or SystemRandom().randrange(1, 2**31)
    with tempfile.TemporaryDirectory() as folder:
        settings = PATIENCE | {"SIMULATOR_DB": str(Path(folder) / "simulator.sqlite3")}
        with stack(Path(".data"), SERVES, settings) as running, running.worker():
            addresses = [f"http://{host}:{port}" for host, port in running.addresses]

            def kill() -> None:
                os.kill(running.pids[-1], signal.SIGKILL)

            judging = judged(addresses, seed, asked.orders, at_once=AT_ONCE, settle_s=SETTLE_S, half_way=kill)
            tally = asyncio.run(judging)
            code, said = running.verify()
    wrong = tally.wrong if code == 0 else [*tally.wrong, said]
    for each in wrong:
        print(f"WRONG  {each}", flush=True)
    tried = (
        f"calls at {asked.orders} orders, three clients at each, {SERVES} processes, one of them killed"
        f" ({tally.accepted} told 202, {tally.unanswered} never answered): linearizable"
    )
    again = f"{COMMAND} --seed {seed} --orders {asked.orders}"
    return [Row(tried, tally.calls, tuple(wrong), str(seed), again)]


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="what the clients do (not who is quicker)")
    parser.add_argument("--orders", type=int, default=ORDERS)


PART = Part("linearize", "concurrent histories of the API against a sequential model", _arguments, run)
