"""The contract's business metrics: whatever the database's running sums say, under the names that the seed promises.

They are the same from every process, so dashboards take the maximum over processes and never the sum. Those whose
names are no legal counters are gauges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Protocol

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus


class BusinessSums(Protocol):
    """What is read from the database: counts, and money in exact major units by currency."""

    @property
    def payments_created(self) -> int:
        """Ever."""
        ...

    @property
    def payments_failed(self) -> int:
        """Ever."""
        ...

    @property
    def refunds_processed(self) -> int:
        """Ever."""
        ...

    @property
    def processing_errors(self) -> int:
        """Ever: calls that did not reach a gateway, and outcomes that were unknown."""
        ...

    @property
    def amount_processed(self) -> Mapping[str, Decimal]:
        """Ever captured."""
        ...

    @property
    def amount_refunded(self) -> Mapping[str, Decimal]:
        """Ever given back."""
        ...

    @property
    def payments_by_status(self) -> Mapping[str, int]:
        """Now."""
        ...

    @property
    def payments_by_method(self) -> Mapping[str, int]:
        """Now."""
        ...


class BusinessCollector(Collector):
    """Shows the sums that it was given last; before there are any, nothing: no number is better than a wrong one."""

    def __init__(self) -> None:
        self.sums: BusinessSums | None = None

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before the database was read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics, with every status and method there is, so that none appears out of nowhere."""
        sums = self.sums
        if sums is None:
            return
        yield CounterMetricFamily("payments_created", "Payments created", value=sums.payments_created)
        yield CounterMetricFamily("payments_failed", "Payments that failed", value=sums.payments_failed)
        yield CounterMetricFamily(
            "refunds_processed", "Refunds that went through", value=sums.refunds_processed
        )
        errors = "Calls that no gateway answered, or with an outcome unknown"
        yield GaugeMetricFamily("payment_processing_errors", errors, value=sums.processing_errors)
        processed = "Money captured, in major units of its currency"
        yield _gauge("total_amount_processed", processed, "currency", sums.amount_processed)
        refunded = "Money refunded, in major units of its currency"
        by_currency = {**{code: Decimal(0) for code in sums.amount_processed}, **sums.amount_refunded}
        yield _gauge("total_refunds", refunded, "currency", by_currency)
        by_status = {**dict.fromkeys(map(str, PaymentStatus), 0), **sums.payments_by_status}
        yield _gauge("payments_by_status", "Payments now in this status", "status", by_status)
        by_method = {**dict.fromkeys(map(str, PaymentMethod), 0), **sums.payments_by_method}
        yield _gauge("payments_by_method", "Payments by this method", "method", by_method)


def _gauge(name: str, meaning: str, label: str, values: Mapping[str, int | Decimal]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=(label,))
    for value in sorted(values):
        family.add_metric(
            (str(value),), float(values[value])
        )  # a sample is a float in every exposition format
    return family
