"""``python -m bench.flood``: what one key suffers while another sends five times its limit.

Quiet and flooded rounds take turns. In each, one key charges at a steady pace and its latencies are noted; in the
flooded ones a second key also charges, at ``--times`` its limit. Both are one load generator on one core (the last);
the database and the service have the other cores. Limits are the service's defaults unless ``--limit`` says otherwise.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import select
import socket
import statistics
import sys
import time
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.load import RECEIVE_BYTES, Address, answer_in
from bench.stack import stack
from eci_payments.settings import declared

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = {"steady": "eci_1_" + "steadykey000" + "s" * 40, "flood": "eci_1_" + "floodkey0000" + "f" * 40}
CREATED, TOO_MANY = 201, 429
WARM_UP_S = 2.0
PAUSE_S = 1.0
DRAIN_S = 5.0
WINDOW_S = 10
"""The limits' window: between two rounds it has to run out, or a quiet one would begin in the flood's shadow."""


@dataclass(slots=True)
class Sender:
    """One key: so many requests per second over so many connections. Late ones are sent when a connection is free."""

    key: str
    per_second: float
    connections: int
    statuses: Counter[int] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    sent: int = 0


@dataclass(slots=True)
class _Line:
    socket: socket.socket
    sender: Sender
    due_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one. Latencies in milliseconds, of the steady key, from the moment that each request was due."""

    flooded: bool
    p50_ms: float
    p99_ms: float
    steady: dict[str, int]
    flood: dict[str, int]
    flood_per_second: float


def drive(address: Address, senders: list[Sender], seconds: float, run: str) -> None:
    """Send until the time is over, then take what is still to come."""
    poll, lines = select.epoll(), {}
    free: dict[int, deque[_Line]] = {id(sender): deque() for sender in senders}
    for sender in senders:
        for _ in range(sender.connections):
            line = _Line(socket.create_connection(address), sender)
            line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.socket.settimeout(0)
            lines[line.socket.fileno()] = line
            poll.register(line.socket, select.EPOLLIN)
            free[id(sender)].append(line)
    begun = time.perf_counter()
    while (now := time.perf_counter() - begun) < seconds + DRAIN_S:
        waits = [_send_due(each, free[id(each)], begun, min(now, seconds), run) for each in senders]
        if now >= seconds and all(len(free[id(each)]) == each.connections for each in senders):
            break
        for descriptor, _ in poll.poll(max(0.0, min([*waits, 0.05]))):
            line = lines[descriptor]
            line.received += line.socket.recv(RECEIVE_BYTES)
            status = answer_in(line.received)
            if status is not None:
                line.sender.statuses[status] += 1
                line.sender.latencies_s.append(time.perf_counter() - line.due_at)
                line.received.clear()
                free[id(line.sender)].append(line)
    for line in lines.values():
        line.socket.close()


def _send_due(sender: Sender, free: deque[_Line], begun: float, now: float, run: str) -> float:
    """Send what is due, while there are connections; the seconds until more is."""
    while free and sender.sent < int(now * sender.per_second):
        line = free.popleft()
        line.due_at = begun + (sender.sent + 1) / sender.per_second
        line.socket.sendall(_charge(sender.key, f"{run}-{sender.key[6:12]}-{sender.sent}"))
        sender.sent += 1
    return (sender.sent + 1) / sender.per_second - now if free else 0.05


def _charge(key: str, order: str) -> bytes:
    body = json.dumps({"order_id": order, "user_id": 7, "amount": "1499.00", "payment_method": "UPI"})
    return (
        "POST /v1/payments/charge HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nIdempotency-Key: {order}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _apart(address: Address, asked: argparse.Namespace, seconds: float, run: str, *, flooded: bool) -> Round:
    """One round from a process of its own on the last core."""
    with multiprocessing.get_context("spawn").Pool(1, os.sched_setaffinity, (0, asked.generator)) as pool:
        return pool.apply(_round, (address, asked, seconds, run, flooded))


def _round(
    address: Address,
    asked: argparse.Namespace,
    seconds: float,
    run: str,
    flooded: bool,  # noqa: FBT001 - through a pool
) -> Round:
    steady = Sender(KEYS["steady"], asked.steady, asked.connections)
    flood = Sender(KEYS["flood"], asked.times * asked.limit, asked.connections)
    drive(address, [steady, flood] if flooded else [steady], seconds, run)
    ordered = sorted(steady.latencies_s)
    return Round(
        flooded,
        round(1000 * ordered[len(ordered) // 2], 2),
        round(1000 * ordered[int(0.99 * len(ordered))], 2),
        _counted(steady),
        _counted(flood),
        round(flood.statuses.total() / seconds, 1),
    )


def _counted(sender: Sender) -> dict[str, int]:
    return {str(status): count for status, count in sorted(sender.statuses.items())}


def main() -> int:
    """Measure, print, and say whether the other key was spared; 1 when one of its charges was not 201."""
    asked = _arguments()
    settings = {"RATE_LIMIT_PER_KEY": str(asked.limit), "BOOTSTRAP_API_KEY": KEYS["steady"]}
    with _cores(asked.service), stack(asked.folder, asked.serves, settings) as running:
        running.command("migrate", BOOTSTRAP_API_KEY=KEYS["flood"])
        address = running.addresses[0]
        _apart(address, asked, WARM_UP_S, f"w{os.getpid()}", flooded=False)
        rounds = []
        for number in range(2 * asked.rounds):
            time.sleep(PAUSE_S if number % 2 else WINDOW_S)
            rounds.append(
                _apart(address, asked, asked.seconds, f"r{number}-{os.getpid()}", flooded=bool(number % 2))
            )
            print(json.dumps(asdict(rounds[-1])), flush=True)
    return _told(asked, rounds)


def _told(asked: argparse.Namespace, rounds: list[Round]) -> int:
    quiet, flooded = (
        statistics.median(r.p99_ms for r in rounds if r.flooded is which) for which in (False, True)
    )
    wrong = sum(count for r in rounds for status, count in r.steady.items() if status != str(CREATED))
    refused = sum(r.flood.get(str(TOO_MANY), 0) for r in rounds) / max(
        1, sum(sum(r.flood.values()) for r in rounds)
    )
    summary = {
        "limit_per_second": asked.limit,
        "flood_per_second": statistics.median(r.flood_per_second for r in rounds if r.flooded),
        "flood_asked_per_second": asked.times * asked.limit,
        "flood_refused": round(refused, 3),
        "quiet_p99_ms": quiet,
        "flooded_p99_ms": flooded,
        "ratio": round(flooded / quiet, 2),
        "errors_of_the_other_key": wrong,
    }
    print(json.dumps(summary, indent=2))
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(
        json.dumps(summary | {"rounds": [asdict(each) for each in rounds]}, indent=2) + "\n"
    )
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make flood FLOOD_ARGS=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each kind")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each round")
    parser.add_argument("--limit", type=int, default=int(declared()["rate_limit_per_key"].default))
    parser.add_argument("--times", type=float, default=5.0, help="of its limit, that the flood sends")
    parser.add_argument("--steady", type=float, default=50.0, help="requests per second of the other key")
    parser.add_argument("--connections", type=int, default=32, help="of each key")
    parser.add_argument("--serves", type=int, default=1, help="serve processes; the first is flooded")
    parser.add_argument(
        "--folder", type=Path, default=Path(".data"), help="where the database is made, and removed"
    )
    parser.add_argument("--json", type=Path, default=Path("build/reports/flood.json"))
    asked = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    asked.generator, asked.service = {cores[-1]}, set(cores[:-1]) or set(cores)
    return asked


@contextmanager
def _cores(cores: set[int]) -> Iterator[None]:
    """Run on these, with whatever is started meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


if __name__ == "__main__":
    sys.exit(main())
