"""``make bench-slow-gateway``: what one gateway's charges keep of their throughput while another takes 5 s to answer.

One `serve`, two gateway accounts, each a sandbox process of its own over HTTP. In every round the steady gateway is
charged through as fast as its customers are answered, and customers of the other come at a fixed rate, more of them
than its bulkhead has places for when it is slow. Rounds alternate: the other answers at once, or
late. Nothing else differs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench import load
from bench.paced import customers
from bench.slow_line import slow_line
from bench.stack import COMMAND, stack, without_settings
from bench.work import Charges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.slow_line import SlowLine
    from bench.stack import Stack

OTHER = "WALLET"
"""The method of the other gateway's customers; the steady one's pay by UPI."""
QUICK, LATE = KINDS = ("quick", "late")
FILL_S = 6.0
"""By then as many calls to the slow gateway are under way as there can be."""
WARM_UP_S = 2.0
START_TIMEOUT_S = 30.0
ADDRESS = re.compile(r"http://[0-9.]+:[0-9]+")
FILE = """
[[accounts]]
name = "steady"
adapter = "sandbox"
url = "{steady}"
api_key_env = "BENCH_SANDBOX_KEY"

[[accounts]]
name = "slow"
adapter = "sandbox"
url = "{slow}"
api_key_env = "BENCH_SANDBOX_KEY"

[[rules]]
name = "steady"
methods = ["UPI"]
accounts = ["steady"]

[[rules]]
name = "slow"
methods = ["WALLET"]
accounts = ["slow"]
"""


def main() -> int:
    """Measure, print, and return 1 when the books are wrong, a charge failed or --require is missed."""
    asked = _arguments()
    asked.folder.mkdir(parents=True, exist_ok=True)
    key = secrets.token_urlsafe(24)
    with ExitStack() as held:
        scratch = Path(held.enter_context(tempfile.TemporaryDirectory(dir=asked.folder)))
        steady = held.enter_context(_sandbox(scratch / "steady", key))
        behind = urlsplit(held.enter_context(_sandbox(scratch / "slow", key)))
        line = held.enter_context(slow_line(behind.hostname or "", behind.port or 0))
        file = scratch / "gateways.toml"
        file.write_text(FILE.format(steady=steady, slow=line.url))
        os.environ["BENCH_SANDBOX_KEY"] = key
        running = held.enter_context(stack(asked.folder, 1, {"GATEWAYS": "", "GATEWAYS_FILE": str(file)}))
        report = _measure(running, line, asked)
        code, said = running.verify()
    print(_text(report))
    print(f"verify: {said.splitlines()[-1] if said else code}")
    asked.json.write_text(json.dumps(report, indent=2) + "\n")
    print(f"The numbers are in {asked.json}.")
    return 1 if code or report["wrong"] or report["kept"]["median"] < asked.require else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-slow-gateway BENCH_ARGS=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each kind")
    parser.add_argument("--seconds", type=int, default=6, help="of load in each")
    parser.add_argument("--connections", type=int, default=16, help="of the steady gateway's customers")
    parser.add_argument("--late", type=float, default=5.0, help="seconds that it takes when it is slow")
    parser.add_argument("--rate", type=float, default=16.0, help="the other's customers per second")
    parser.add_argument("--require", type=float, default=0.8, help="fail below this share (median)")
    parser.add_argument("--folder", type=Path, default=Path(".data"))
    parser.add_argument("--json", type=Path, default=Path(".data/bench-slow-gateway.json"))
    return parser.parse_args()


def _measure(running: Stack, line: SlowLine, asked: argparse.Namespace) -> dict[str, Any]:
    rounds: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    answers: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    wrong: list[str] = []
    load.run_apart(running.addresses, asked.connections, WARM_UP_S, Charges("warm"))
    for number in range(asked.rounds):
        for kind in KINDS if number % 2 == 0 else reversed(KINDS):
            running.checkpoint()
            line.answer_late(asked.late if kind == LATE else 0)
            with customers(running.addresses[0], OTHER, asked.rate, f"{kind}-{number}-other") as seen:
                time.sleep(FILL_S)
                outcome = load.run_apart(
                    running.addresses, asked.connections, asked.seconds, Charges(f"{kind}-{number}")
                )
            rounds[kind].append(_round(outcome))
            answers[kind].update({str(status): count for status, count in seen.statuses.items()})
            wrong += outcome.wrong
    return {
        "setting": {name: str(value) for name, value in vars(asked).items()},
        "rounds": rounds,
        "kept": _spread(
            [
                late["per_second"] / quick["per_second"]
                for quick, late in zip(rounds[QUICK], rounds[LATE], strict=True)
            ]
        ),
        "the_others_customers_were_answered": answers,
        "wrong": wrong,
    }


def _round(outcome: load.Outcome) -> dict[str, float]:
    return {
        "per_second": round(outcome.per_second, 1),
        "p50_ms": round(outcome.quantile_ms(0.5), 2),
        "p99_ms": round(outcome.quantile_ms(0.99), 2),
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {
        name: round(of(values), 3) for name, of in (("min", min), ("median", statistics.median), ("max", max))
    }


def _text(report: dict[str, Any]) -> str:
    lines = [f"{'':34}{'charges/s':>10}{'p50 ms':>9}{'p99 ms':>9}   (medians)"]
    said = {QUICK: "while the other answers at once", LATE: "while the other answers late"}
    for kind, runs in report["rounds"].items():
        middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        lines.append(
            f"{said[kind]:34}{middle['per_second']:10.0f}{middle['p50_ms']:9.1f}{middle['p99_ms']:9.1f}"
        )
    kept = report["kept"]
    lines.append(
        f"It keeps {kept['median']:.2f} of its throughput (min {kept['min']:.2f}, max {kept['max']:.2f})."
    )
    for kind, answers in report["the_others_customers_were_answered"].items():
        counted = ", ".join(f"{count} x {status}" for status, count in sorted(answers.items()))
        lines.append(f"The other's customers, {said[kind].removeprefix('while the other ')}: {counted}")
    return "\n".join(lines)


@contextmanager
def _sandbox(folder: Path, key: str) -> Iterator[str]:
    """A sandbox process and its address."""
    folder.mkdir()
    environment = {**without_settings(), "DATA_DIR": str(folder), "SANDBOX_API_KEY": key}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "sandbox"], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield _said(process, log)
    finally:
        process.terminate()
        process.wait()


def _said(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := ADDRESS.search(log.read_text()):
            return found.group(0)
        time.sleep(0.05)
    raise RuntimeError(f"the sandbox did not start: {log.read_text()[-1000:]}")


if __name__ == "__main__":
    sys.exit(main())
