"""What is counted as concluded: each operation once, when its outcome is committed, however it was learned."""

from __future__ import annotations

import re

from eci_payments import bootstrap
from eci_payments.observability.metrics import Metrics
from support.engine import caller, charging, told

SERIES = re.compile(
    r'operations_concluded_total\{code="(\w*)",gateway="scripted",operation="(\w+)",outcome="(\w+)",.*\} (.+)'
)


def counting(house):
    metrics = Metrics()
    house.lane._committed = lambda change: bootstrap._count_concluded(metrics, change)
    return metrics


def counted(metrics):
    text = metrics.exposition(None, "")[0].decode()
    return {found.groups() for line in text.splitlines() if (found := SERIES.fullmatch(line))}


async def test_by_the_call_by_an_inquiry_and_never_twice(house):
    metrics = counting(house)
    await told(house.payments.charge(caller(key="a"), charging("1")))
    house.gateway.plan("2", "charge", "lost")
    lost = await told(house.payments.charge(caller(key="b"), charging("2")))
    assert counted(metrics) == {("", "CHARGE", "APPROVED", "1.0")}
    await house.later(200, lost.payment_id)
    await house.recover()
    both = {("", "CHARGE", "APPROVED", "1.0"), ("not_received", "CHARGE", "DECLINED", "1.0")}
    assert counted(metrics) == both
    house.gateway.settle("2", "charge", "approved")
    await house.later(61, lost.payment_id)
    await house.recover()
    assert (await house.view(lost.payment_id)).payment.amount_unapplied_minor
    assert counted(metrics) == both
