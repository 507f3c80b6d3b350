"""``python -m proof bad-input``: what fits or misfits the OpenAPI document, sent to a real process by schemathesis."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from bench.stack import stack
from proof.parts import REPORTS, Part, Row

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping, Sequence

COMMAND = "PYTHONPATH=tools python -m proof bad-input"
LOG = REPORTS / "schemathesis.txt"
EXAMPLES = 120
"""For each operation, beside the examples, the coverage of its schema and the sequences along its links."""
LEAST = 5000
TIMEOUT_S = 900
WAIVED_CHECKS: Mapping[str, str] = {
    "positive_data_acceptance": "what a schema cannot say is refused as well: a key used for another request, details"
    " that do not fit the method, more digits than the currency has, a cursor that is not ours",
}
WAIVED_PATHS: Mapping[str, str] = {
    "/stream$": "a stream has no end to wait for; tests/api/test_streams.py speaks to it",
}


def waived() -> list[str]:
    """The command's words for what is waived."""
    checks = [word for check in WAIVED_CHECKS for word in ("--exclude-checks", check)]
    return checks + [word for path in WAIVED_PATHS for word in ("--exclude-path-regex", path)]


def attack(address: str, key: str, seed: int, examples: int) -> tuple[int, list[str]]:
    """How many cases were sent, and each failure's title."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{address}/openapi.json"]
    command += ["--checks", "all", *waived(), "--max-examples", str(examples), "--seed", str(seed)]
    command += [
        "--continue-on-failure",
        "--wait-for-schema",
        "30",
        "--no-color",
        "--request-timeout",
        "30",
        "--generation-database",
        "none",
    ]
    command += ["-H", f"Authorization: Bearer {key}"]
    with tempfile.TemporaryDirectory() as folder:  # where it keeps what it remembers of a run
        done = subprocess.run(
            command,
            cwd=folder,
            env=_plain(),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    said = (done.stdout + done.stderr).replace(key, "KEY")
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_text(said)
    sent = re.search(r"^\s*(\d+) generated", said, re.MULTILINE)
    failed = re.findall(r"^\s*❌ ((?:ST\d+|.*error).*)$", said, re.MULTILINE)
    if done.returncode and not failed:
        failed = [f"schemathesis ended with {done.returncode}: {said[-500:]}"]
    return int(sent[1]) if sent else 0, failed


def _plain() -> dict[str, str]:
    """Wide lines, so that nothing that is looked for is broken in two."""
    return os.environ | {"COLUMNS": "240", "NO_COLOR": "1"}


def run(asked: Namespace) -> Sequence[Row]:
    """Send it all to one process; then the books have to be right."""
    seed = asked.seed or SystemRandom().randrange(1, 2**31)
    key = f"eci_1_{secrets.token_hex(32)}"
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "SIMULATOR_DB": str(Path(folder) / "simulator.sqlite3"),
            "BOOTSTRAP_API_KEY": key,
            "RATE_LIMIT_PER_KEY": "0",
            "RATE_LIMIT_PER_ADDRESS": "0",
        }
        with stack(Path(".data"), 1, settings) as running:
            host, port = running.addresses[0]
            cases, wrong = attack(f"http://{host}:{port}", key, seed, asked.examples)
            code, said = running.verify()
    if code:
        wrong.append(said)
    if asked.examples >= EXAMPLES and cases < LEAST:
        wrong.append(f"only {cases} cases of {LEAST}")
    for each in wrong:
        print(f"WRONG  {each} (see {LOG})", flush=True)
    tried = f"requests made of the OpenAPI document, links followed; {len(WAIVED_CHECKS) + len(WAIVED_PATHS)} waivers"
    again = f"{COMMAND} --seed {seed} --examples {asked.examples}"
    return [Row(tried, cases, tuple(wrong), str(seed), again)]


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="for each operation")


PART = Part("bad-input", "what fits or misfits the OpenAPI document, sent by schemathesis", _arguments, run)
