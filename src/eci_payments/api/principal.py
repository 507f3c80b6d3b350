"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass

from eci_payments.api.read_tokens import ReadToken
from eci_payments.domain.api_keys import EVERY_SCOPE, Scope
from eci_payments.domain.ids import SINGLE_SHOP, MerchantId


@dataclass(frozen=True, slots=True)
class Principal:
    """The merchant whose things they see, the name under which the audit trail knows them, and what they may do.

    ``key_id`` is empty where nobody needed a key. With a ``token`` they see its payment and nothing else.
    ``rate_per_second`` is their key's own rate limit, where it has one.
    """

    merchant_id: MerchantId
    actor: str
    scopes: frozenset[Scope] = EVERY_SCOPE
    key_id: str = ""
    token: ReadToken | None = None
    rate_per_second: int | None = None


OPEN = Principal(SINGLE_SHOP, "open")
"""Everybody, where the service is only its own machine's."""
