"""What waits, as gauges read from the database: the same from every process, so dashboards take the maximum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class UnknownOutcomes:
    """Of one gateway: operations whose outcome nobody knows yet, and the age of the oldest."""

    gateway: str
    count: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class Untold:
    """Of one peer: deliveries that wait or are parked, and how long the oldest has waited."""

    peer: str
    pending: int
    parked: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class Unapplied:
    """Of one gateway: webhooks that wait or are held for a person, and how long the oldest has waited."""

    gateway: str
    pending: int
    held: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """All that waits, over all merchants."""

    unknown: Sequence[UnknownOutcomes]
    untold: Sequence[Untold]
    recovery_overdue_s: float
    unsealed_oldest_s: float
    unapplied: Sequence[Unapplied] = ()
    exceeding: int = 0
    """Payments of which more has gone back, or is disputed, than was captured."""


class BacklogCollector(Collector):
    """Shows what it was given last; without a database nothing: no number is better than an old one."""

    def __init__(self) -> None:
        self.waiting: Waiting | None = None

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before the database was read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The gauges; a gateway or peer with nothing waiting is absent."""
        waiting = self.waiting
        if waiting is None:
            return
        yield _single(
            "recovery_overdue_seconds",
            "How late recovery is for the operation that waits longest",
            waiting.recovery_overdue_s,
        )
        yield _single(
            "audit_unsealed_oldest_seconds",
            "Age of the oldest audit entry without a seal",
            waiting.unsealed_oldest_s,
        )
        more = "Payments of which more went back, or is disputed, than was captured"
        yield _single("payments_exceeding", more, waiting.exceeding)
        unknown = {each.gateway: each for each in waiting.unknown}
        count, age = "Operations with an unknown outcome", "Age of the oldest of them"
        yield _each("outcomes_unknown", count, "gateway", {k: v.count for k, v in unknown.items()})
        yield _each(
            "outcome_unknown_oldest_seconds", age, "gateway", {k: v.oldest_s for k, v in unknown.items()}
        )
        yield from _inbox(waiting.unapplied)
        untold = {each.peer: each for each in waiting.untold}
        pending, parked = "Deliveries that wait", "Deliveries that were given up until somebody replays them"
        yield _each("deliveries_pending", pending, "peer", {k: v.pending for k, v in untold.items()})
        yield _each("deliveries_parked", parked, "peer", {k: v.parked for k, v in untold.items()})
        oldest = "How long the oldest delivery has waited"
        yield _each("delivery_oldest_seconds", oldest, "peer", {k: v.oldest_s for k, v in untold.items()})


def _inbox(unapplied: Sequence[Unapplied]) -> Iterator[Metric]:
    of = {each.gateway: each for each in unapplied}
    pending, held = "Webhooks that wait to be applied", "Webhooks that wait for a person"
    yield _each("inbox_pending", pending, "gateway", {k: v.pending for k, v in of.items()})
    yield _each("inbox_held", held, "gateway", {k: v.held for k, v in of.items()})
    oldest = "How long the oldest of those that wait to be applied has waited"
    yield _each("inbox_oldest_seconds", oldest, "gateway", {k: v.oldest_s for k, v in of.items()})


def _single(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)


def _each(name: str, meaning: str, label: str, values: dict[str, int] | dict[str, float]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=(label,))
    for key in sorted(values):
        family.add_metric((key,), float(values[key]))
    return family
