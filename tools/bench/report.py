"""The numbers of all rounds, as a table for people and JSON for machines."""

from __future__ import annotations

import platform
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one contender. Rates per second, latencies in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """``rounds``: by contender's name, one entry per round, in order. ``baselines`` are the pgbench ones."""

    service: str
    baselines: Sequence[str]
    rounds: dict[str, list[Measured]]
    ceiling_per_second: float
    setting: dict[str, Any]

    @property
    def baseline(self) -> str:
        """The client count at which pgbench was best, by the median of its rounds."""
        return max(self.baselines, key=lambda name: statistics.median(_rates(self.rounds[name])))

    @property
    def ratios(self) -> list[float]:
        """The service's rate over pgbench's best, round by round."""
        ours, theirs = _rates(self.rounds[self.service]), _rates(self.rounds[self.baseline])
        return [mine / its for mine, its in zip(ours, theirs, strict=True)]

    def text(self) -> str:
        """The table."""
        lines = [
            f"{'':28}{'charges/s':>27}{'p50 ms':>9}{'p99 ms':>9}",
            f"{'':28}{'min':>9}{'median':>9}{'max':>9}",
        ]
        for name, runs in self.rounds.items():
            least, middle, most = _spread(_rates(runs))
            p50 = statistics.median(run.p50_ms for run in runs)
            p99 = statistics.median(run.p99_ms for run in runs)
            lines.append(f"{name:28}{least:9.0f}{middle:9.0f}{most:9.0f}{p50:9.1f}{p99:9.1f}")
        least, middle, most = _spread(self.ratios)
        lines.append(f"{'ratio to ' + self.baseline:28}{least:9.2f}{middle:9.2f}{most:9.2f}")
        lines.append(f"The load generator alone does {self.ceiling_per_second:.0f} requests/s.")
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        """Everything, for a file."""
        least, middle, most = _spread(self.ratios)
        return {
            "setting": self.setting | {"machine": platform.machine(), "python": platform.python_version()},
            "ceiling_per_second": round(self.ceiling_per_second),
            "baseline": self.baseline,
            "ratio": {"min": round(least, 3), "median": round(middle, 3), "max": round(most, 3)},
            "rounds": {
                name: [
                    {
                        "per_second": round(run.per_second, 1),
                        "p50_ms": round(run.p50_ms, 2),
                        "p99_ms": round(run.p99_ms, 2),
                    }
                    for run in runs
                ]
                for name, runs in self.rounds.items()
            },
        }


def _rates(runs: Sequence[Measured]) -> list[float]:
    return [run.per_second for run in runs]


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return min(values), statistics.median(values), max(values)
