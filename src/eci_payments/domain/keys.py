"""Idempotency keys: one name a client gives to one request, so that repeating it changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.domain.ids import MerchantId, OperationId, PaymentId
from eci_payments.domain.quick import quick

if TYPE_CHECKING:
    from datetime import datetime


@quick
@dataclass(frozen=True, slots=True, order=True)
class KeyName:
    """A key in its scope: method and route template, e.g. ``POST /v1/payments/{payment_id}/refund``."""

    scope: str
    key: str


@quick
@dataclass(frozen=True, slots=True)
class KeyClaim:
    """What a request brings to claim its key. ``fingerprint`` is a keyed hash of the normalised request."""

    name: KeyName
    fingerprint: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key that was claimed before: by which request, for which operation, and the answer if there is one."""

    merchant_id: MerchantId
    name: KeyName
    fingerprint: bytes = field(repr=False)
    operation_id: OperationId | None
    payment_id: PaymentId | None
    status: int | None
    body: bytes | None = field(repr=False)
    created_at: datetime
