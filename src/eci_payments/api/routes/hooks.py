"""Webhooks in: what a gateway tells us by itself. Its signature over the raw bytes stands in for an API key."""

from __future__ import annotations

import logging
from time import time
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from eci_payments.api.bodies import ClientGone, read_raw
from eci_payments.api.documented import errors, success
from eci_payments.api.errors import WireError
from eci_payments.api.examples import WEBHOOK_BODIES
from eci_payments.api.schemas.responses import WebhookTaken
from eci_payments.gateways.hooks import BadWebhook, HookedGateway
from eci_payments.operations.answers import encode
from eci_payments.operations.ingest.receive import receive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI

    from eci_payments.api.services import Services

log = logging.getLogger(__name__)

PATH = "/v1/gateways/{account}/webhooks"
MAX_BODY_BYTES = 256 * 1024
"""Sixteen times the largest event that the gateways' documents show."""
CHALLENGE = {"WWW-Authenticate": 'Signature realm="eci-payments"'}
UNKNOWN = "unknown"
"""Under which webhooks for accounts that are none are counted: their names are the callers', and have no bound."""


def add_hook_routes(app: FastAPI, services: Services) -> None:
    """The one path at which gateways knock."""

    async def gateway_webhook(request: Request) -> Response:
        """For gateways: an event, signed as that gateway signs. Stored once, answered, and applied a moment later.

        A repeated event is answered like the first. Nothing is stored of one whose signature is not the gateway's.
        """
        account = request.path_params["account"]
        gateway, secrets = _account(services, account)
        try:
            body = await read_raw(request.scope, request.receive, MAX_BODY_BYTES)
            event = gateway.read_webhook(_headers(request), body, secrets, time())
        except ClientGone:
            return Response(status_code=400)
        except BadWebhook as wrong:
            services.metrics.webhook_received(account, "refused")
            log.warning("a webhook was refused", extra={"gateway": account, "why": str(wrong)})
            raise WireError(
                "unauthorized", "This is no webhook of that gateway.", headers=CHALLENGE
            ) from None
        new = await receive(services.payments.engine, account, event)
        services.metrics.webhook_received(account, "stored" if new else "repeated")
        return Response(_TAKEN, media_type="application/json")

    app.add_api_route(
        PATH,
        gateway_webhook,
        methods=["POST"],
        tags=["gateways"],
        summary="Take a gateway's webhook",
        operation_id="gateway_webhook",
        response_model=WebhookTaken,
        responses={
            200: success("Stored", {"received": True}),
            **errors("not_found", "unauthorized", "payload_too_large", "rate_limited", "busy"),
            **errors("internal_error", "database_unavailable"),
        },
        openapi_extra={"requestBody": _BODY, "parameters": [_ACCOUNT]},
    )


_ACCOUNT = {
    "name": "account",
    "in": "path",
    "required": True,
    "description": "A name in GATEWAYS.",
    "schema": {"type": "string"},
    "example": "sandbox",
}
_BODY = {
    "required": True,
    "description": "The gateway's own JSON, signed byte for byte.",
    "content": {"application/json": {"schema": {"type": "object"}, "examples": WEBHOOK_BODIES}},
}
_TAKEN = encode({"received": True})


def _account(services: Services, name: str) -> tuple[HookedGateway, Sequence[str]]:
    gateways = services.payments.engine.gateways
    gateway, secrets = gateways.named(name), gateways.webhook_secrets(name)
    if isinstance(gateway, HookedGateway) and secrets:
        return gateway, secrets
    services.metrics.webhook_received(UNKNOWN, "refused")
    raise WireError("not_found", "No gateway account of this name takes webhooks.")


def _headers(request: Request) -> dict[str, str]:
    """By lower-case name. Of a header that came twice the first counts, so that nobody can add to what was signed."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found.setdefault(name, value)
    return found
