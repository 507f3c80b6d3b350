"""Which scope each operation needs: the one list. What is not in it is closed to everybody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eci_payments.domain.api_keys import Scope

if TYPE_CHECKING:
    from starlette.types import Scope as AsgiScope

NEEDED: dict[str, Scope] = {
    "POST /v1/payments/charge": Scope.CHARGE,
    "POST /v1/payments": Scope.CHARGE,
    "POST /v1/payments/{payment_id}/confirm": Scope.CHARGE,
    "POST /v1/payments/{payment_id}/capture": Scope.CHARGE,
    "DELETE /v1/payments/{payment_id}": Scope.CHARGE,
    "POST /v1/payments/{payment_id}/refund": Scope.REFUND,
    "POST /v1/payments/{payment_id}/refunds/{refund_id}/paid": Scope.OPERATE,
    "PATCH /v1/payments/{payment_id}/status": Scope.OPERATE,
    "POST /v1/payments/{payment_id}/collect": Scope.OPERATE,
    "POST /v1/payments/{payment_id}/remit": Scope.OPERATE,
    "POST /v1/approvals/{approval_id}": Scope.OPERATE,
    "GET /v1/approvals/{approval_id}": Scope.READ,
    "GET /v1/approvals": Scope.READ,
    "GET /v1/payments": Scope.READ,
    "GET /v1/payments/{payment_id}": Scope.READ,
    "GET /v1/payments/order/{order_id}": Scope.READ,
    "GET /v1/payments/transaction/{transaction_id}": Scope.READ,
    "GET /v1/payments/{payment_id}/refunds": Scope.READ,
    "GET /v1/payments/{payment_id}/stream": Scope.READ,
    "GET /v1/payments/{payment_id}/read-token": Scope.READ,
    "GET /v1/payment-methods": Scope.READ,
}
"""By method and route template."""

BY_TOKEN = frozenset({"GET /v1/payments/{payment_id}", "GET /v1/payments/{payment_id}/stream"})
"""What a read token opens, of its own payment."""
_TAKES_TOKEN = re.compile(r"/v1/payments/[1-9][0-9]{0,15}(?:/stream)?", re.ASCII)

PAGES: dict[str, Scope] = {
    "/metrics": Scope.ADMIN,
    "/docs": Scope.READ,
    "/openapi.json": Scope.READ,
    "/openapi-3.0.json": Scope.READ,
}
"""What tells of the service rather than of a merchant's payments; open on ADMIN_PORT. ``/metrics`` counts every
merchant's money, and so is for the keys of merchant 1 only."""
_PAGE_FILES = "/docs/"

PUBLIC = frozenset({"/health", "/livez", "/readyz"})
"""For load balancers and probes, which have no key. They say nothing of any merchant."""
_PROBLEMS = "/problems/"
_GATEWAYS = "/v1/gateways/"
_SIGNED = re.compile(_GATEWAYS + r"[^/]+/webhooks")

TRAILED = frozenset({Scope.OPERATE, Scope.ADMIN})
"""What is done with these scopes is written into the trail, whatever comes of it."""


def is_public(path: str) -> bool:
    """Whether everybody may ask for it."""
    return path in PUBLIC or path.startswith(_PROBLEMS) or is_signed(path)


def is_signed(path: str) -> bool:
    """Whether what is sent there carries a gateway's signature instead of a key."""
    return path.startswith(_GATEWAYS) and _SIGNED.fullmatch(path) is not None


def takes_token(path: str) -> bool:
    """Whether a read token may stand in the query of this path."""
    return _TAKES_TOKEN.fullmatch(path) is not None


def page_scope(path: str) -> Scope | None:
    """The scope that a page needs; None for what is no page."""
    return PAGES.get("/docs" if path.startswith(_PAGE_FILES) else path)


def operation(scope: AsgiScope) -> str:
    """The method and route template of a request that a route took, as in `NEEDED`."""
    return f"{scope['method']} {getattr(scope.get('route'), 'path_format', '')}"
