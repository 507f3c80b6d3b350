"""A simulator for each test; a recorder in a gateway's place, and the adapters that speak to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eci_payments.gateways.adapters.razorpay.account import RazorpayGateway
from eci_payments.gateways.adapters.stripe.account import StripeGateway
from support.recorder import Recorder, recording
from support.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[Simulator]:
    made = Simulator(tmp_path / "simulator.sqlite3")
    yield made
    await made.gateway.close()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    yield from recording()


@pytest.fixture
async def at_stripe(recorder: Recorder) -> AsyncIterator[StripeGateway]:
    made = StripeGateway("stripe", "sk_test", recorder.url, timeout_s=5)
    yield made
    await made.close()


@pytest.fixture
async def at_razorpay(recorder: Recorder) -> AsyncIterator[RazorpayGateway]:
    made = RazorpayGateway(
        "razorpay", "key", "secret", recorder.url, email="a@b.c", contact="+91", timeout_s=5
    )
    yield made
    await made.close()
