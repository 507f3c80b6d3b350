"""What an account at Stripe was asked to do since a time, from Stripe's own lists.

Charges and authorizations are PaymentIntents, refunds are refunds, both with our key in their metadata. A capture or a
void leaves no object of its own: the event of it names the Idempotency-Key that it came with, which is our key.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from eci_payments.gateways.adapters.stripe.amounts import from_stripe
from eci_payments.gateways.adapters.stripe.events import KEY_FIELD
from eci_payments.gateways.adapters.stripe.mapping import failed, listed
from eci_payments.gateways.contract import CallKind, Listed, NotSent, Unknown
from eci_payments.gateways.recounting import MAX_PAGES, PAGE, Unplaced, read_listed
from eci_payments.gateways.transport import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eci_payments.gateways.transport import Transport

EVENTS_KEPT = timedelta(days=29)
"""Stripe keeps events for 30 days."""
CANCEL = "-cancel"
"""Ends the Idempotency-Key with which a charge is cancelled that waits for its customer; a void's has no end."""
Page = list[dict[str, Any]]


async def operations_since(transport: Transport, since: datetime) -> Sequence[Listed] | NotSent | Unknown:
    """All of it, in the order in which it can have happened where two are of one second."""
    if datetime.now(UTC) - since > EVENTS_KEPT:
        return Unknown(f"Stripe keeps events for {EVENTS_KEPT.days} days, and {since:%Y-%m-%d} is longer ago")
    found: list[Listed] = []
    for path, kind, read in _LISTS:
        things = await _whole(transport, path, kind, since)
        if not isinstance(things, list):
            return things
        try:
            found += [each for thing in things if (each := read(thing)) is not None]
        except Unplaced as unplaced:
            return Unknown(str(unplaced))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return Unknown(f"a list that makes no sense: {type(error).__name__}")
    return found


async def _whole(transport: Transport, path: str, kind: str, since: datetime) -> Page | NotSent | Unknown:
    """Every page of a list, newest first."""
    found: Page = []
    asked = {"created[gte]": str(int(since.timestamp())), "limit": str(PAGE)} | (
        {"type": kind} if kind else {}
    )
    for _ in range(MAX_PAGES):
        after = {"starting_after": str(found[-1]["id"])} if found else {}
        reply = await transport.send("GET", path, query=asked | after)
        if not isinstance(reply, Reply):
            return reply
        page = None if failed(reply) is not None else listed(reply.body)
        if page is None or not all("id" in thing for thing in page):
            return Unknown(f"Stripe answered {reply.status} without a list")
        found += page
        if not reply.body.get("has_more"):
            return found
        if not page:
            break
    return Unknown("a list that does not end")


def _intent(intent: dict[str, Any]) -> Listed | None:
    told = intent.get("metadata") or {}
    if KEY_FIELD not in told:
        return None
    return read_listed(
        told,
        key=told[KEY_FIELD],
        kind=CallKind.AUTHORIZE if intent.get("capture_method") == "manual" else CallKind.CHARGE,
        reference=intent["id"],
        amount_minor=from_stripe(int(intent["amount"]), str(intent["currency"]).upper()),
        currency=intent["currency"],
        created_s=intent["created"],
    )


def _refund(refund: dict[str, Any]) -> Listed | None:
    told = refund.get("metadata") or {}
    if KEY_FIELD not in told:
        return None
    return read_listed(
        told,
        key=told[KEY_FIELD],
        kind=CallKind.REFUND,
        reference=refund["id"],
        amount_minor=from_stripe(int(refund["amount"]), str(refund["currency"]).upper()),
        currency=refund["currency"],
        created_s=refund["created"],
        parent=(None, refund.get("payment_intent")),
    )


def _capture(event: dict[str, Any]) -> Listed | None:
    intent = event["data"]["object"]
    return (
        _part(event, CallKind.CAPTURE, "amount_received")
        if intent.get("capture_method") == "manual"
        else None
    )


def _void(event: dict[str, Any]) -> Listed | None:
    return _part(event, CallKind.VOID, "amount")


def _part(event: dict[str, Any], kind: CallKind, amount: str) -> Listed | None:
    """None for what was not asked for by us: without our key in the intent, or without a key of the request."""
    intent, request = event["data"]["object"], event.get("request")
    told = intent.get("metadata") or {}
    key = request.get("idempotency_key") if isinstance(request, dict) else None
    if KEY_FIELD not in told or not key or str(key).endswith(CANCEL):
        return None
    return read_listed(
        told,
        key=key,
        kind=kind,
        reference=intent["id"],
        amount_minor=from_stripe(int(intent[amount]), str(intent["currency"]).upper()),
        currency=intent["currency"],
        created_s=event["created"],
        parent=(told[KEY_FIELD], intent["id"]),
    )


_LISTS: tuple[tuple[str, str, Callable[[dict[str, Any]], Listed | None]], ...] = (
    ("/v1/payment_intents", "", _intent),
    ("/v1/events", "payment_intent.succeeded", _capture),
    ("/v1/events", "payment_intent.canceled", _void),
    ("/v1/refunds", "", _refund),
)
