"""Whether what was sampled is flat: the first third of the run against the last, each quantity within its bound."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from soak.sampling import Sample

LEAST_SAMPLES = 9
"""Three in each third: a median of less is one look."""
WAITING_S = 2.0
"""What arrives in so long may always be under way: a charge, its fan-out and its deliveries take less."""


POOL = 8
"""Connections that a process keeps at most, by default (DB_POOL_SIZE)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Charges/s, and how many processes of ours did them."""

    rate: float
    processes: int


@dataclass(frozen=True, slots=True)
class Bound:
    """``most`` says from the first third's figure, and what was asked, what the last third's may be; ``why``."""

    name: str
    of: Callable[[Sequence[Sample]], float]
    most: Callable[[float, Asked], float]
    bound: str
    why: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One quantity with its figures."""

    bound: Bound
    first: float
    last: float
    most: float

    @property
    def holds(self) -> bool:
        """Whether it is flat."""
        return self.last <= self.most


def _median(name: str) -> Callable[[Sequence[Sample]], float]:
    return lambda samples: float(median(getattr(each, name) for each in samples))


def _largest(name: str) -> Callable[[Sequence[Sample]], float]:
    return lambda samples: float(max(getattr(each, name) for each in samples))


BOUNDS = (
    Bound(
        "memory of a `serve`, MB",
        _median("serve_mb"),
        lambda first, _: 1.05 * first,
        "1.05 times the first third",
        "pools, statements and caches have a bound and are full after the warm-up; what is kept of charges grows on",
    ),
    Bound(
        "memory of the `work`, MB",
        _median("work_mb"),
        lambda first, _: 1.05 * first,
        "1.05 times the first third",
        "as above",
    ),
    Bound(
        "memory of PostgreSQL's processes, MB",
        _median("postgres_mb"),
        lambda first, _: 1.1 * first,
        "1.1 times the first third",
        "each connection keeps its plans and what it knows of tables, both bounded; connections come and go",
    ),
    Bound(
        "connections to the database",
        _largest("connections"),
        lambda first, asked: max(first, POOL * asked.processes),
        "8 for each process, or the first third",
        "pools grow as the load makes them, to a bound",
    ),
    Bound(
        "open files of all processes",
        _largest("files"),
        lambda first, asked: first + POOL * asked.processes,
        "the first third and 8 for each process",
        "connections of callers are kept; pools may grow to their bound, those to peers may be made anew and overlap",
    ),
    Bound(
        "what waits: operations, events, deliveries",
        _median("waiting"),
        lambda first, asked: max(1.5 * first, WAITING_S * asked.rate),
        "1.5 times the first third, or what arrives in 2 s",
        "half the maximum rate is told as fast as it comes; a queue that is not kept up with grows with time",
    ),
    Bound(
        "dead rows per live row",
        _largest("dead_share"),
        lambda first, _: max(first, 0.3),
        "0.3, or the first third",
        "autovacuum begins at a fifth of a table, looks once a minute and takes a while",
    ),
    Bound(
        "bytes of tables and indexes per payment",
        _median("bytes_per_payment"),
        lambda first, _: 1.1 * first,
        "1.1 times the first third",
        "space of dead rows is used again; half-empty pages of indexes over random ids are a constant share",
    ),
)


def judged(samples: Sequence[Sample], asked: Asked) -> list[Judged]:
    """Each quantity. Raises ValueError for a run that is too short to have thirds."""
    if len(samples) < LEAST_SAMPLES:
        raise ValueError(f"{len(samples)} samples are too few to compare thirds: soak longer")
    third = len(samples) // 3
    return [_judged(each, samples[:third], samples[-third:], asked) for each in BOUNDS]


def _judged(bound: Bound, first: Sequence[Sample], last: Sequence[Sample], asked: Asked) -> Judged:
    before = bound.of(first)
    return Judged(bound, before, bound.of(last), bound.most(before, asked))


def lines(found: Sequence[Judged]) -> list[str]:
    """As a table in Markdown."""
    return [
        "| quantity | first third | last third | at most | | bound | why |",
        "| --- | --: | --: | --: | --- | --- | --- |",
        *(
            f"| {each.bound.name} | {_figure(each.first)} | {_figure(each.last)} | {_figure(each.most)}"
            f" | {'flat' if each.holds else '**grows**'} | {each.bound.bound} | {each.bound.why} |"
            for each in found
        ),
    ]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - three digits tell enough
