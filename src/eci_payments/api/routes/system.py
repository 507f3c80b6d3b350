"""Whether the service is well, ready and alive, and what it measures: for machines that look after it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from eci_payments.api.documented import errors, headers, success
from eci_payments.api.errors import WireError
from eci_payments.api.pulse import Pulse
from eci_payments.api.schemas.responses import Health, IllHealth, Liveness, Readiness
from eci_payments.operations.answers import encode, when
from eci_payments.store import restore_gate
from eci_payments.store.away import is_absence

if TYPE_CHECKING:
    from fastapi import FastAPI

    from eci_payments.api.services import Services
    from eci_payments.observability.metrics import BusinessSums

log = logging.getLogger(__name__)

JSON = "application/json"
_EXAMPLE = {"service": "payment-service", "timestamp": "2026-11-23T12:00:00.000000Z"}


def add_system_routes(app: FastAPI, services: Services) -> None:
    """/health, /livez, /readyz and /metrics."""
    pulse = Pulse(services.database.ping)
    _add_health(app, services, pulse)
    _add_readiness(app, services, pulse)
    _add_metrics(app, services)


def _add_health(app: FastAPI, services: Services, pulse: Pulse) -> None:
    async def health() -> Response:
        """For people and simple monitors: the service, and in 503 the part of it that does not answer."""
        well = await pulse.beats()
        said = {
            "status": "healthy" if well else "unhealthy",
            "service": services.settings.service_name,
            "timestamp": when(datetime.now(UTC)),
        }
        body = encode(said if well else said | {"failing": ["database"]})
        return Response(body, 200 if well else 503, media_type=JSON)

    ill = success("Not well", {"status": "unhealthy", **_EXAMPLE, "failing": ["database"]})
    app.add_api_route(
        "/health",
        health,
        tags=["system"],
        summary="Health",
        operation_id="health",
        response_model=Health,
        responses={200: success("Well", {"status": "healthy", **_EXAMPLE}), 503: ill | {"model": IllHealth}},
    )


def _add_readiness(app: FastAPI, services: Services, pulse: Pulse) -> None:
    async def livez() -> Response:
        """Whether the process runs. Touches nothing that it depends on."""
        return Response(encode({"status": "alive"}), media_type=JSON)

    async def readyz() -> Response:
        """Whether the process can take requests: its database answers, is no backup that still lags, and it stays."""
        if services.draining():
            raise WireError("draining", "This process is about to end.", headers={"Retry-After": "1"})
        if not await pulse.beats():
            raise WireError(
                "database_unavailable", "The database does not answer.", headers={"Retry-After": "2"}
            )
        async with services.database.read() as session:
            restoring = await restore_gate.is_closed(session)
        if restoring:
            raise WireError(
                "restore_in_progress",
                "The database was restored; the gateways are asked first.",
                headers={"Retry-After": str(restore_gate.RETRY_AFTER_S)},
            )
        return Response(encode({"status": "ready"}), media_type=JSON)

    app.add_api_route(
        "/livez",
        livez,
        tags=["system"],
        summary="Liveness",
        operation_id="livez",
        response_model=Liveness,
        responses={200: success("Alive", {"status": "alive"})},
    )
    app.add_api_route(
        "/readyz",
        readyz,
        tags=["system"],
        summary="Readiness",
        operation_id="readyz",
        response_model=Readiness,
        responses={
            200: success("Ready", {"status": "ready"}),
            **errors("draining", "database_unavailable", "restore_in_progress"),
        },
    )


def _add_metrics(app: FastAPI, services: Services) -> None:
    async def metrics(request: Request) -> Response:
        """Everything that is measured, for Prometheus: as text, or as OpenMetrics where that is asked for."""
        sums = await _sums(services)
        body, content_type = services.metrics.exposition(sums, request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    text = {"schema": {"type": "string"}}
    shown = {
        "description": "The metrics",
        "headers": headers(),
        "content": {"text/plain": text, "application/openmetrics-text": text},
    }
    app.add_api_route(
        "/metrics",
        metrics,
        tags=["system"],
        summary="Metrics",
        operation_id="metrics",
        response_class=Response,
        response_model=None,
        responses={200: shown, **errors("internal_error")},
    )


async def _sums(services: Services) -> BusinessSums | None:
    """The database's sums; without them the process still tells what it has measured itself."""
    try:
        return await services.business_sums()
    except Exception as error:
        if not is_absence(error):
            raise
        log.warning("the database does not answer", extra={"error": type(error).__name__})
        return None
