"""The HTTP service over a test's database and the simulator, and a client whose every answer is checked."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx

from eci_payments.api.app import create_app
from eci_payments.api.services import Services
from eci_payments.gateways.adapters.simulator.gateway import SimulatorGateway
from eci_payments.gateways.adapters.simulator.pace import Pace
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from eci_payments.observability.metrics import Metrics
from eci_payments.operations.rules import Rules
from eci_payments.settings import load
from support.agreement import Agreement
from support.service import payments_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from eci_payments.operations.service import Payments
    from eci_payments.settings import Settings

SECRET = b"a key of thirty-two bytes or more"
ALLOWED = "https://shop.example"
CHARGE = "/v1/payments/charge"
_numbers = itertools.count(1)


@dataclass(slots=True)
class Api:
    """A client of the service. ``charge`` and ``post`` bring an idempotency key of their own unless told."""

    client: httpx.AsyncClient
    app: FastAPI
    services: Services
    agreement: Agreement

    @property
    def payments(self) -> Payments:
        """The service behind the wire."""
        return self.services.payments

    async def request(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """Any request; its response is held against the document."""
        response = await self.client.request(method, path, **sent)
        self.agreement.check(response)
        return response

    async def get(self, path: str, **sent: Any) -> httpx.Response:
        return await self.request("GET", path, **sent)

    async def post(self, path: str, body: Any = None, *, key: str | None = "", **sent: Any) -> httpx.Response:
        """``key`` "" makes one, None sends none."""
        headers = {} if key is None else {"Idempotency-Key": key or f"key-{next(_numbers)}"}
        content = {} if body is None else {"json": body}
        return await self.request("POST", path, **content, headers=headers | sent.pop("headers", {}), **sent)

    async def charge(self, *, key: str | None = "", **fields: Any) -> httpx.Response:
        """A charge of a new order, unless the fields say which."""
        return await self.post(CHARGE, charge_body(**fields), key=key)

    async def paid(self, **fields: Any) -> dict[str, Any]:
        """A payment that was charged."""
        response = await self.charge(**fields)
        assert response.status_code == 201, response.text
        payment: dict[str, Any] = response.json()
        return payment


def charge_body(**fields: Any) -> dict[str, Any]:
    """A body of 149.50 INR by UPI for an order of its own; a field that is ``...`` is left out."""
    body = {"order_id": f"order-{next(_numbers)}", "user_id": 7, "amount": 149.5, "payment_method": "UPI"}
    return {name: value for name, value in (body | fields).items() if value is not ...}


@asynccontextmanager
async def running_api(
    service_url: str, *, rules: Rules | None = None, settings: Settings | None = None, **services: Any
) -> AsyncIterator[Api]:
    """The app over this database with the simulator in memory."""
    gateway = SimulatorGateway(
        record=SimulatorRecord(":memory:", pace=Pace(settle_s=0.2)), timeout_s=2.0, silence_s=0.05
    )
    chosen = settings or replace(load({}), return_url_allowlist=(ALLOWED,))
    async with payments_over(service_url, gateway, rules=rules or Rules(key_wait_s=0.3)) as payments:
        built = Services(
            payments=payments,
            database=payments.engine.database,
            settings=chosen,
            fingerprint_key=SECRET,
            metrics=Metrics(),
            business_sums=no_sums,
        )
        built = replace(built, **services)
        app = create_app(built)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Api(client, app, built, agreement_of(app, built))


def agreement_of(app: FastAPI, services: Services) -> Agreement:
    """The app's document; made once for the same settings, since making it takes longer than most tests."""
    settings = repr((services.settings, services.problem_base))
    if settings not in _agreements:
        _agreements[settings] = Agreement(app.openapi())
    return _agreements[settings]


_agreements: dict[str, Agreement] = {}


async def no_sums() -> None:
    """For tests that do not look at the business metrics."""
