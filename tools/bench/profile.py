"""``make bench-profile``: where the microseconds of a charge go.

One API process at 64 connections, three times: undisturbed, for the processor time of every kind of process; watched by
py-spy, which samples its stack from outside; and with PostgreSQL noting how long each statement took.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import load
from bench.report import asked_as
from bench.runs import spending
from bench.stack import stack
from bench.work import Charges

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.stack import Stack

SAMPLES_PER_SECOND = 200
OURS = ("ALTER SYSTEM", "SELECT pg_reload_conf")
"""What this module itself asks while statements are noted."""
FUNCTIONS_SHOWN = 25
STATEMENTS_SHOWN = 25
FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^()]+?)(?::\d+)?\)$")
STATEMENT = re.compile(
    r"duration: (?P<ms>[0-9.]+) ms  (?P<step>parse|bind|execute|statement) ?[^:]*: (?P<sql>.*?)"
    r"(?=^\d{4}-\d\d-\d\d |\Z)",
    re.DOTALL | re.MULTILINE,
)


COUNTERS = """
SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS log, xact_commit AS commits
FROM pg_stat_database WHERE datname = current_database()
"""
"""A connection tells its commits within a second, so a few belong to the runs on either side."""


def main() -> int:
    """Measure and print; 1 when the books or an answer are wrong."""
    asked = _arguments()
    with stack(asked.folder, 1) as running:
        found, wrong = _profiled(running, asked)
        code, said = running.verify()
    print(text(found))
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(found, indent=1) + "\n")
    print(f"The numbers are in {asked.json}.")
    for line in [*wrong, *([said] if code else [])]:
        print(f"wrong: {line}", file=sys.stderr)
    return 1 if wrong or code else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-profile BENCH_ARGS=...", description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="of each of the three runs")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--folder", type=Path, default=Path(".data"))
    parser.add_argument("--json", type=Path, default=Path(".data/bench-profile.json"))
    return parser.parse_args()


def _profiled(running: Stack, asked: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    def charges(run: str) -> load.Outcome:
        return load.run_apart(running.addresses, asked.connections, asked.seconds, Charges(run))

    warm = charges("warm")
    running.analyze()
    before = running.ask(COUNTERS)[0]
    with spending(running) as spent:
        plain = charges("plain")
    after = running.ask(COUNTERS)[0]
    each_us = {
        name: spent.cores[name] * spent.seconds / plain.right * 1e6
        for name in ("serve_cores", "postgres_cores")
    }
    each_us["generator_cores"] = plain.cpu_s / plain.right * 1e6
    stacks, watched = _watched(running, asked.seconds, charges)
    statements, noted = _noted(running, charges)
    return {
        "setting": {"seconds": asked.seconds, "connections": asked.connections, "processes": 1}
        | asked_as("make bench-profile", sys.argv[1:]),
        "charges_per_second": round(plain.per_second, 1),
        "charges_per_second_watched": round(watched.per_second, 1),
        "cpu_us_per_charge": {name.removesuffix("_cores"): round(us) for name, us in each_us.items()},
        "wal_bytes_per_charge": round((after["log"] - before["log"]) / plain.right),
        "commits_per_charge": round((after["commits"] - before["commits"]) / plain.right, 3),
        **by_place(stacks, each_us["serve_cores"]),
        "statements": by_statement(statements, noted.right),
    }, [*warm.wrong, *plain.wrong, *watched.wrong, *noted.wrong]


def _watched(running: Stack, seconds: int, charges: Any) -> tuple[list[tuple[list[str], int]], load.Outcome]:
    output = Path(running.environment["DATA_DIR"]) / "py-spy.txt"
    with subprocess.Popen(
        [
            str(Path(sys.executable).parent / "py-spy"), "record", "--nonblocking", "--format=raw",
            f"--rate={SAMPLES_PER_SECOND}", f"--duration={seconds}", f"--output={output}",
            f"--pid={running.pids[0]}",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as watching:  # fmt: skip
        outcome: load.Outcome = charges("watched")
        said, _ = watching.communicate()
    if watching.returncode:
        raise SystemExit(f"py-spy could not watch: {said[-500:]}")
    return list(stacks_in(output.read_text())), outcome


def stacks_in(raw: str) -> Iterator[tuple[list[str], int]]:
    """The stacks of py-spy's raw format, outermost frame first, and how often each was seen."""
    for line in raw.splitlines():
        frames, _, count = line.rpartition(" ")
        yield frames.split(";"), int(count)


def by_place(stacks: Iterable[tuple[list[str], int]], each_us: float) -> dict[str, dict[str, float]]:
    """Microseconds of one charge by the innermost room of ours on the stack, by the innermost package, by function."""
    rooms: Counter[str] = Counter()
    packages: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    total = 0
    for frames, count in stacks:
        places = [place for frame in reversed(frames) if (place := place_of(frame))]
        if not places:
            continue
        total += count
        rooms[next((p for p in places if p.startswith("eci_payments")), "outside our code")] += count
        packages[places[0]] += count
        functions[_function(frames[-1])] += count
    return {
        name: {key: round(each_us * count / total, 1) for key, count in counted.most_common(FUNCTIONS_SHOWN)}
        for name, counted in (("rooms", rooms), ("packages", packages), ("functions", functions))
    }


def place_of(frame: str) -> str | None:
    """The room of ours, or the library, that a frame belongs to; None for what is neither (a thread's own frame)."""
    found = FRAME.match(frame)
    if found is None:
        return None
    parts = Path(found["file"]).parts
    if "eci_payments" in parts:
        below = parts[parts.index("eci_payments") + 1 :]
        return "eci_payments." + (below[0] if len(below) > 1 else Path(below[0]).stem)
    if "site-packages" in parts:
        return Path(parts[parts.index("site-packages") + 1]).stem
    return Path(parts[0]).stem if len(parts) > 1 and not found["file"].startswith("/") else "standard library"


def _function(frame: str) -> str:
    found = FRAME.match(frame)
    if found is None:
        return frame
    parts = Path(found["file"]).parts
    absolute = max(0, len(parts) - 2) if found["file"].startswith("/") else 0
    keep = next((i + 1 for i, part in enumerate(parts) if part == "site-packages"), absolute)
    if "eci_payments" in parts:
        keep = parts.index("eci_payments")
    return f"{found['function']} ({'/'.join(parts[keep:])})"


def _noted(running: Stack, charges: Any) -> tuple[str, load.Outcome]:
    log = running.server.layout.log
    begun = log.stat().st_size
    for setting in ("log_min_duration_statement = 0", "log_parameter_max_length = 0"):
        running.ask(f"ALTER SYSTEM SET {setting}")
    running.ask("SELECT pg_reload_conf()")
    time.sleep(0.5)
    outcome: load.Outcome = charges("noted")
    running.ask("ALTER SYSTEM RESET ALL")
    running.ask("SELECT pg_reload_conf()")
    with log.open() as text:
        text.seek(begun)
        return text.read(), outcome


def by_statement(log: str, charges: int) -> list[dict[str, Any]]:
    """What each statement took of one charge, most first; parsing and binding count as its own."""
    spent: dict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()
    for found in STATEMENT.finditer(log):
        sql = " ".join(found["sql"].split())
        if sql.startswith(OURS):
            continue
        spent[sql] += float(found["ms"])
        calls[sql] += found["step"] in {"execute", "statement"}
    ordered = sorted(spent, key=lambda sql: -spent[sql])
    return [
        {
            "statement": sql[:160],
            "calls": calls[sql],
            "mean_ms": round(spent[sql] / max(calls[sql], 1), 3),
            "us_per_charge": round(spent[sql] / charges * 1000, 1),
        }
        for sql in ordered[:STATEMENTS_SHOWN]
    ]


def text(found: dict[str, Any]) -> str:
    """The tables."""
    cpu, connections = found["cpu_us_per_charge"], found["setting"]["connections"]
    lines = [
        f"{found['charges_per_second']:.0f} charges/s through one process, {connections} connections",
        f"({found['charges_per_second_watched']:.0f} while py-spy watched). Processor time of a charge:",
        *(f"{us:8} us  {name}" for name, us in cpu.items()),
    ]
    for title, name in (
        ("The API process, by the innermost room of ours", "rooms"),
        ("The API process, by the code that ran", "packages"),
        ("The API process, by function", "functions"),
    ):
        lines += ["", f"{title}:", *(f"{us:8.1f} us  {key}" for key, us in found[name].items())]
    lines += ["", "PostgreSQL, by statement (time from its arrival to its end, waits for the disk included):"]
    lines += [
        f"{each['us_per_charge']:8.1f} us  {each['mean_ms']:8.3f} ms x {each['calls']:6}  {each['statement'][:90]}"
        for each in found["statements"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
