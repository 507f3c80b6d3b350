"""``python -m soak``: charges at half the maximum rate for many minutes, with a worker that tells peers: nothing grows.

The maximum is the rate at which everything is done: charges as fast as they are answered for a while, divided by that
while and the time until every peer was told of them. At the end the books have to be right: the service's own, the
gateway's record against the ledger, what the peers heard.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import load
from bench.deliveries import PEERS, drained
from bench.peer import Peer, peer
from bench.stack import Stack, stack
from bench.work import Charges
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from proof.parts import REPORTS, leave
from soak import judging
from soak.sampling import Sample, sampled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WARM_S, FULL_S = 15, 20
CONNECTIONS = 64
MINUTES = 15.0
SETTINGS = {"SIMULATOR_DB": "", "RATE_LIMIT_PER_ADDRESS": "100000"}
"""The gateway's record is a file, as it must be to be compared; one address asks for everybody."""


@dataclass(slots=True)
class Soak:
    """The service, and what was found wrong."""

    running: Stack
    told: Peer
    worker: int
    wrong: list[str] = field(default_factory=list)
    answered: int = 0
    heard: set[int] = field(default_factory=set)
    """What the peers took, each call once, however often it was sent."""

    def charge(self, seconds: float, run: str, per_second: float | None = None) -> load.Outcome:
        """Charges of new orders."""
        addresses = self.running.addresses
        outcome = load.run_apart(addresses, CONNECTIONS, seconds, Charges(run), per_second)
        self.wrong += outcome.wrong
        self.answered += outcome.right
        return outcome

    def hear(self) -> None:
        """What the peers answered since; forgotten there, so that it is not their memory that grows."""
        self.heard |= set(map(hash, self.told.answered()))

    def maximum(self) -> float:
        """Charges/s at which everything is done, the telling included."""
        self.charge(WARM_S, "warm")
        drained(self.running)
        self.running.analyze()
        begun = time.monotonic()
        outcome = self.charge(FULL_S, "full")
        drained(self.running)
        return outcome.right / (time.monotonic() - begun)

    def soaked(self, minutes: float, per_second: float) -> tuple[load.Outcome, list[Sample]]:
        """The load for so long, and what was seen meanwhile."""
        with ThreadPoolExecutor(1) as apart:
            loading = apart.submit(self.charge, minutes * 60, "soak", per_second)
            samples = sampled(self.running, self.worker, lambda: self._is_over(loading.done))
            return loading.result(), samples

    def _is_over(self, done: Callable[[], bool]) -> bool:
        self.hear()
        return done()

    def audited(self) -> list[str]:
        """Everybody's books, once everybody was told."""
        drained(self.running)
        self.hear()
        code, said = self.running.verify()
        if code:
            self.wrong.append(said)
        (ours,) = self.running.ask(_OURS)
        record = SimulatorRecord(Path(self.running.environment["DATA_DIR"]) / "simulator.sqlite3")
        there = record.totals("INR")
        record.close()
        if (there.taken_minor, there.takings) != (ours["taken_minor"], ours["paid"]):
            self.wrong.append(
                f"the gateway took {there.taken_minor} in {there.takings}, our ledger has {dict(ours)}"
            )
        if not self.answered <= ours["paid"] <= self.answered + 3 * CONNECTIONS:
            self.wrong.append(f"{self.answered} charges were answered, {ours['paid']} payments are paid")
        if len(self.heard) != ours["told"]:
            self.wrong.append(f"the peers took {len(self.heard)} calls, our deliveries are {ours['told']}")
        return [
            f"{ours['paid']:,} payments over {there.taken_minor / 100:,.2f} INR: the gateway's record and ours agree.",
            f"{ours['told']:,} deliveries, each heard. {said.splitlines()[-1].partition(':')[0]}, says `verify`.",
        ]


def main() -> int:
    """Soak, and write the report; 1 when anything grows or is wrong."""
    asked = _arguments()
    with ExitStack() as held:
        healthy = held.enter_context(peer())
        urls = {f"{name.upper()}_SERVICE_URL": healthy.url for name in PEERS}
        running = held.enter_context(stack(asked.folder, asked.serves, SETTINGS | urls))
        soak = Soak(running, healthy, held.enter_context(running.worker()))
        most = soak.maximum()
        rate = asked.per_second or most / 2
        print(
            f"{most:.0f} charges/s are done and told at most; {rate:.0f} for {asked.minutes:g} min",
            flush=True,
        )
        outcome, samples = soak.soaked(asked.minutes, rate)
        books = soak.audited()
    found = judging.judged(samples, judging.Asked(rate, asked.serves + 1))
    wrong = [*soak.wrong, *(f"{each.bound.name} grows" for each in found if not each.holds)]
    said = [
        *_head(asked, most, rate, outcome),
        "",
        *judging.lines(found),
        "",
        *(books if not soak.wrong else soak.wrong),
    ]
    leave(REPORTS / "soak.md", "Soak", said)
    for each in wrong:
        print(f"WRONG  {each}", file=sys.stderr)
    return 1 if wrong else 0


def _head(asked: argparse.Namespace, most: float, rate: float, outcome: load.Outcome) -> list[str]:
    third = len(outcome.latencies_s) // 3
    first, last = outcome.latencies_s[:third], outcome.latencies_s[-third:]
    return [
        f"{asked.minutes:g} minutes, {asked.serves} `serve` and a `work`.",
        f"{most:.0f} charges/s are done and told at most, {rate:.0f}/s were asked for.",
        f"{outcome.per_second:.0f}/s were answered with 201, {outcome.right:,} in all.",
        f"p50 {_at(first, 0.5)} ms in the first third, {_at(last, 0.5)} in the last;",
        f"p99 {_at(first, 0.99)} and {_at(last, 0.99)} from when it was due (not judged: others use the machine).",
    ]


def _at(latencies_s: Sequence[float], share: float) -> str:
    ordered = sorted(latencies_s)
    return f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000:.1f}" if ordered else "none"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak SOAK_ARGS=...", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--per-second", type=float, help="charges/s (else half of what is measured first)")
    parser.add_argument("--serves", type=int, default=2, help="serve processes")
    parser.add_argument(
        "--folder", type=Path, default=Path(".data"), help="where the database is made, and removed"
    )
    return parser.parse_args()


_OURS = """
SELECT (SELECT count(*) FROM payments WHERE status = 'COMPLETED') AS paid,
       (SELECT sum(amount_minor)::bigint FROM ledger_entries WHERE debit_account = 'gateway:simulator:receivable')
           AS taken_minor,
       (SELECT count(*) FROM deliveries) AS told
"""

if __name__ == "__main__":
    sys.exit(main())
