"""What an account at Razorpay was asked to do since a time, from Razorpay's own lists: orders and refunds.

Our key is the receipt of either, and its notes say what it stands for. A capture leaves nothing with a key of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.gateways.adapters.razorpay import requests
from eci_payments.gateways.adapters.razorpay.mapping import failed, items
from eci_payments.gateways.contract import Listed, NotSent, Unknown
from eci_payments.gateways.recounting import MAX_PAGES, PAGE, Unplaced, read_listed
from eci_payments.gateways.transport import Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from eci_payments.gateways.adapters.razorpay.requests import Request

    Send = Callable[[Request], Awaitable[Reply | NotSent | Unknown]]


async def operations_since(send: Send, since: datetime) -> Sequence[Listed] | NotSent | Unknown:
    """All of it but captures."""
    found: list[Listed] = []
    for page_of in (requests.orders_since, requests.refunds_since):
        things = await _whole(send, page_of, int(since.timestamp()))
        if not isinstance(things, list):
            return things
        try:
            found += [each for thing in things if (each := _listed(thing)) is not None]
        except Unplaced as unplaced:
            return Unknown(str(unplaced))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return Unknown(f"a list that makes no sense: {type(error).__name__}")
    return found


async def _whole(
    send: Send, page_of: Callable[[int, int], Request], since_s: int
) -> list[dict[str, Any]] | NotSent | Unknown:
    """Every page of a list, newest first: what is made meanwhile has others seen twice, and none missed."""
    found: dict[str, dict[str, Any]] = {}
    for number in range(MAX_PAGES):
        reply = await send(page_of(since_s, number * PAGE))
        if not isinstance(reply, Reply):
            return reply
        page = None if failed(reply) is not None else items(reply.body)
        if page is None or not all("id" in thing for thing in page):
            return Unknown(f"Razorpay answered {reply.status} without a list")
        found |= {str(thing["id"]): thing for thing in page}
        if len(page) < PAGE:
            return list(found.values())
    return Unknown("a list that does not end")


def _listed(thing: dict[str, Any]) -> Listed | None:
    """An order or a refund of ours; None for what others made, which has no receipt or none of our notes."""
    notes = thing.get("notes") or {}
    if not thing.get("receipt") or "transaction_id" not in notes:
        return None
    return read_listed(
        notes,
        key=thing["receipt"],
        reference=thing["id"],
        amount_minor=int(thing["amount"]),
        currency=thing["currency"],
        created_s=thing["created_at"],
        parent=(None, thing.get("payment_id")),
    )
