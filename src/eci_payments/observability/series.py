"""Counts and spreads by the values of their labels: a number each, made into Prometheus's series when somebody looks.

Of any label the first `MOST_VALUES` values count by name and the rest as ``other``. Written from one thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import INF, floatToGoString

MOST_VALUES = 64
"""Of one label: more routes, gateways and peers than one installation has, and a bound on what a process remembers."""
OTHER = "other"

Series = TypeVar("Series")


class Count:
    """How often something happened."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        self.times = 0


class Spread:
    """How many of what was observed lay within each bound, and their sum."""

    __slots__ = ("_bounds", "numbers", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.numbers = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """One more."""
        self.numbers[bisect_left(self._bounds, value)] += 1
        self.sum += value


class _Labelled(Collector, Generic[Series]):
    """The series of one metric by their label values: found at once, and never more than there is room for."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = labels
        self._made: dict[tuple[str, ...], Series] = {}
        self._known: dict[tuple[str, ...], Series] = {}
        """The same by the values as they came, those that count as ``other`` not among them."""
        self._seen: list[set[str]] = [set() for _ in labels]

    def of(self, *values: str) -> Series:
        """The series for these values, or for ``other`` in place of each that is one too many."""
        found = self._known.get(values)
        return self._bounded(values) if found is None else found

    def _bounded(self, values: tuple[str, ...]) -> Series:
        kept = tuple(self._kept(value, seen) for value, seen in zip(values, self._seen, strict=True))
        if kept not in self._made:
            self._made[kept] = self._new()
        if kept == values:
            self._known[kept] = self._made[kept]
        return self._made[kept]

    @staticmethod
    def _kept(value: str, seen: set[str]) -> str:
        if value not in seen and len(seen) >= MOST_VALUES:
            return OTHER
        seen.add(value)
        return value.encode("utf-8", "replace").decode()  # one odd value must not cost the whole exposition

    def _new(self) -> Series:
        raise NotImplementedError

    def describe(self) -> Iterable[Metric]:
        """Its name, before there is anything to show."""
        return list(self.collect())


class Counts(_Labelled[Count]):
    """A counter."""

    def _new(self) -> Count:
        return Count()

    def collect(self) -> Iterator[Metric]:
        """Every series that there is."""
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, count in self._made.items():
            family.add_metric(values, count.times)
        yield family


class Spreads(_Labelled[Spread]):
    """A histogram with these upper bounds."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        super().__init__(name, meaning, labels)
        self._bounds = bounds
        self._shown = [floatToGoString(bound) for bound in (*bounds, INF)]  # type: ignore[no-untyped-call] # as the library writes bounds

    def _new(self) -> Spread:
        return Spread(self._bounds)

    def collect(self) -> Iterator[Metric]:
        """Every series that there is."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, spread in self._made.items():
            within = zip(self._shown, accumulate(spread.numbers), strict=True)
            family.add_metric(values, list(within), spread.sum)
        yield family
