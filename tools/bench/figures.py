"""The figures, as data: which contenders' quantities are held against each other, and what is asked of the ratio."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bench.contenders import ONE_COMMIT, TWO_COMMITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.runs import Run


class Group(StrEnum):
    """What is measured together: on one database, in the same interleaved rounds."""

    CHARGES = "charges"
    DELIVERIES = "deliveries"
    MEMORY = "memory"
    LARGE = "large"


class Bound(StrEnum):
    """Which side of its target a figure has to keep to."""

    AT_LEAST = ">="
    AT_MOST = "<="


class Verdict(StrEnum):
    """How a figure stands to its target."""

    PASS = "pass"  # noqa: S105 - no password
    MISSED = "missed"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of a figure."""

    bound: Bound
    value: float

    def met(self, result: float) -> bool:
        """Whether this result keeps to it; what could not be measured (NaN) does not."""
        return result >= self.value if self.bound is Bound.AT_LEAST else result <= self.value


@dataclass(frozen=True, slots=True)
class Figure:
    """``of`` over ``over``: of several contenders the one that was best (most per second) by its median counts.

    Without ``over`` the quantity stands by itself, in ``unit``.
    """

    name: str
    title: str
    group: Group
    quantity: str
    of: str
    over: tuple[str, ...] = ()
    over_quantity: str = ""
    target: Target | None = None
    unit: str = "times"

    @property
    def contenders(self) -> tuple[str, ...]:
        """Everybody it needs."""
        return (self.of, *self.over)


@dataclass(frozen=True, slots=True)
class Result:
    """A figure's numbers. ``result`` is the ratio of the medians; the others are of the ratios round by round."""

    figure: Figure
    result: float
    least: float
    middle: float
    most: float
    rounds: int
    over: str | None

    @property
    def verdict(self) -> Verdict:
        """How it stands to its target."""
        if self.figure.target is None:
            return Verdict.REPORTED
        return Verdict.PASS if self.figure.target.met(self.result) else Verdict.MISSED


def judge(figure: Figure, rounds: Mapping[str, Sequence[Run]]) -> Result:
    """The figure from these rounds. Raises KeyError when a contender was not measured."""
    mine = [run[figure.quantity] for run in rounds[figure.of]]
    if not figure.over:
        middle = statistics.median(mine)
        return Result(figure, middle, min(mine), middle, max(mine), len(mine), None)
    over = best(figure.over, rounds)
    its = [run[figure.over_quantity or figure.quantity] for run in rounds[over]]
    ratios = [one / other for one, other in zip(mine, its, strict=True)]
    return Result(
        figure,
        statistics.median(mine) / statistics.median(its),
        min(ratios),
        statistics.median(ratios),
        max(ratios),
        len(ratios),
        over,
    )


def best(names: Sequence[str], rounds: Mapping[str, Sequence[Run]]) -> str:
    """Whoever did most per second, by the median of the rounds."""
    return max(names, key=lambda name: statistics.median(run["per_second"] for run in rounds[name]))


AT_LEAST, AT_MOST = Bound.AT_LEAST, Bound.AT_MOST
FIGURES = (
    Figure(
        "charges-64", "charges/s at 64 connections ÷ pgbench, two commits (best of 8, 16, 32 clients)",
        Group.CHARGES, "per_second", "charges-64", TWO_COMMITS, target=Target(AT_LEAST, 2.0),
    ),
    Figure(
        "charges-64-one-commit", "the same ÷ pgbench, one commit",
        Group.CHARGES, "per_second", "charges-64", ONE_COMMIT,
    ),
    Figure(
        "charges-256", "charges/s at 256 connections ÷ pgbench, two commits",
        Group.CHARGES, "per_second", "charges-256", TWO_COMMITS, target=Target(AT_LEAST, 2.5),
    ),
    Figure(
        "charges-256-one-commit", "the same ÷ pgbench, one commit",
        Group.CHARGES, "per_second", "charges-256", ONE_COMMIT,
    ),
    Figure(
        "p99-at-half", "p99 at half the maximum rate, 64 connections ÷ pgbench's average latency, 16 clients",
        Group.CHARGES, "p99_ms", "charges-64-at-half", ("pgbench-16",), "mean_ms", Target(AT_MOST, 4.0),
    ),
    Figure(
        "one-connection", "p50 of a charge on one connection ÷ pgbench's average latency, 1 client",
        Group.CHARGES, "p50_ms", "charges-1", ("pgbench-1",), "mean_ms", Target(AT_MOST, 4.0),
    ),
    Figure(
        "replays", "idempotent replays/s ÷ charges/s, 64 connections",
        Group.CHARGES, "per_second", "replays-64", ("charges-64",), target=Target(AT_LEAST, 2.0),
    ),
    Figure(
        "reads", "GET by id/s ÷ charges/s, 64 connections",
        Group.CHARGES, "per_second", "reads-64", ("charges-64",), target=Target(AT_LEAST, 2.0),
    ),
    Figure(
        "processes", "charges/s of two API processes ÷ one, 64 connections",
        Group.CHARGES, "per_second", "charges-64", ("charges-64-one-process",),
    ),
    Figure(
        "deliveries", "deliveries/s of one worker to healthy peers ÷ charges/s of one API process",
        Group.DELIVERIES, "per_second", "worker", ("api",), target=Target(AT_LEAST, 0.5),
    ),
    Figure(
        "commit-to-answer", "p99 from commit to the peer's answer at the highest rate one worker sustains",
        Group.DELIVERIES, "p99_ms", "worker-sustained", target=Target(AT_MOST, 1000.0), unit="ms",
    ),
    Figure(
        "memory", "resident memory of one API process after all its charges",
        Group.MEMORY, "resident_mb", "api-last", target=Target(AT_MOST, 150.0), unit="MB",
    ),
    Figure(
        "memory-flat", "the same ÷ its memory half-way",
        Group.MEMORY, "resident_mb", "api-last", ("api-half",), target=Target(AT_MOST, 1.05),
    ),
    Figure(
        "large-charges", "charges/s with the large database ÷ with the small one",
        Group.LARGE, "per_second", "large-charges", ("small-charges",), target=Target(AT_LEAST, 0.9),
    ),
    *(
        Figure(
            f"large-{read}", f"GET {title}: p99 with the large database ÷ with the small one",
            Group.LARGE, "p99_ms", f"large-{read}", (f"small-{read}",), target=Target(AT_MOST, 1.5),
        )
        for read, title in (
            ("by-order", "by order"), ("first-page", "of the first page"), ("deep-page", "of a page 900 deep"),
        )
    ),
)  # fmt: skip
"""In the order of the report. A row's contenders are measured when the row is asked for."""
