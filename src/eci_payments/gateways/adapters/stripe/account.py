"""One Stripe account as a `Gateway`.

Stripe cannot be asked with authority by a key of ours (its search lags behind), so a charge is two calls: a
PaymentIntent is created, which moves no money; its id is committed; then it is confirmed by that id. Captures and voids
are asked about by the PaymentIntent, refunds by the key that they carry in their metadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eci_payments.domain.methods import Card, PaymentMethod
from eci_payments.gateways.accounts import Narrow, unchanged
from eci_payments.gateways.adapters.stripe import recount
from eci_payments.gateways.adapters.stripe.amounts import UnpayableAmount, from_stripe, to_stripe
from eci_payments.gateways.adapters.stripe.events import KEY_FIELD, read_webhook
from eci_payments.gateways.adapters.stripe.mapping import (
    failed,
    intent_outcome,
    listed,
    refund_outcome,
    standing,
)
from eci_payments.gateways.contract import (
    Approved,
    CallKind,
    Cancelled,
    Capabilities,
    Declined,
    GatewayCall,
    Inquiry,
    Listed,
    NeverSeen,
    NotSent,
    Outcome,
    Prepared,
    Unknown,
)
from eci_payments.gateways.recounting import told_of
from eci_payments.gateways.transport import Reply, Transport, is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from eci_payments.gateways.hooks import GatewayEvent

API_VERSION = "2024-06-20"
"""The version of Stripe's API that this adapter was written against; sent with every request."""
_CARDS = frozenset({PaymentMethod.CREDIT_CARD, PaymentMethod.DEBIT_CARD})

ANOTHER = Unknown("an answer about another payment than the one that was asked about")
"""A line that was confused, by a proxy or by an answer sent twice, must not speak for a payment."""

VOIDED = Declined("already_voided", "The authorization is there no more.", retryable=False)
CAPTURED = Declined("already_captured", "The money has been taken already.", retryable=False)

CAPABILITIES = Capabilities(
    methods=_CARDS,
    currencies=None,
    partial_capture=True,
    multiple_capture=False,
    inquiry_by_key=False,
    never_seen_after_s=120.0,
    key_window_s=23 * 3600.0,
    recounts=True,
    instrument_required=_CARDS,
    authorization_valid_s=dict.fromkeys(_CARDS, 7 * 86_400.0),
)


class StripeGateway:
    """``secret_key`` is the account's; ``base_url`` is Stripe's, or a test peer's."""

    def __init__(
        self, name: str, secret_key: str, base_url: str, *, timeout_s: float, narrow: Narrow = unchanged
    ) -> None:
        self.name = name
        self.capabilities = narrow(CAPABILITIES)
        self._transport = Transport(
            base_url, headers={"Stripe-Version": API_VERSION}, auth=(secret_key, ""), timeout_s=timeout_s
        )

    async def prepare(self, call: GatewayCall) -> Prepared | Declined | NotSent | Unknown:
        """Make the PaymentIntent, unconfirmed: no money moves yet."""
        if not isinstance(call.instrument, Card):
            return Declined("instrument_required", "Card details are needed.", retryable=False)
        if (refused := _unpayable(call)) is not None:
            return refused
        method = await self._post("/v1/payment_methods", _card_form(call.instrument), f"{call.key}-method")
        if not isinstance(method, Reply):
            return method
        if not is_reference(method.body.get("id")):
            return Unknown("a payment method without an id")
        form = _intent_form(call, str(method.body.get("id")))
        intent = await self._post("/v1/payment_intents", form, call.key)
        if not isinstance(intent, Reply):
            return intent
        reference = intent.body.get("id")
        if not is_reference(reference) or not _is_ours(intent.body, call):
            return ANOTHER
        return Prepared(str(reference))

    async def perform(self, call: GatewayCall) -> Outcome:
        """Do it, by the id that was committed."""
        if (refused := _unpayable(call)) is not None:
            return refused
        match call.kind:
            case CallKind.CHARGE | CallKind.AUTHORIZE:
                return await self._confirm(call)
            case CallKind.CAPTURE:
                return await self._capture(call)
            case CallKind.VOID | CallKind.CANCEL_ACTION:
                return await self._cancel(call)
            case CallKind.REFUND:
                return await self._refund(call)

    async def inquire(self, call: GatewayCall) -> Inquiry:
        """What became of it, by the PaymentIntent or by the refund's own metadata."""
        if call.kind is CallKind.REFUND:
            return await self._find_refund(call)
        reference = (
            call.reference if call.kind in {CallKind.CHARGE, CallKind.AUTHORIZE} else call.parent_reference
        )
        if reference is None:
            return NeverSeen()
        reply = await self._transport.send("GET", f"/v1/payment_intents/{reference}")
        if not isinstance(reply, Reply):
            return reply
        if failed(reply) is not None:
            return Unknown("Stripe did not answer the inquiry")
        return _learned(call, reply.body) if reply.body.get("id") == reference else ANOTHER

    async def operations_since(self, since: datetime) -> Sequence[Listed] | NotSent | Unknown:
        """Charges, captures, voids and refunds of ours since then, from Stripe's lists."""
        return await recount.operations_since(self._transport, since)

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float
    ) -> GatewayEvent:
        """A webhook of Stripe. Raises BadWebhook."""
        return read_webhook(headers, body, secrets, now_s)

    async def close(self) -> None:
        """Give back connections."""
        await self._transport.close()

    async def _confirm(self, call: GatewayCall) -> Outcome:
        if call.reference is None:
            return NotSent("nothing was prepared at the gateway")
        form = {"return_url": call.return_url} if call.return_url else {}
        reply = await self._post(f"/v1/payment_intents/{call.reference}/confirm", form, f"{call.key}-confirm")
        if not isinstance(reply, Reply):
            return reply
        if reply.body.get("id") != call.reference:
            return ANOTHER
        outcome = intent_outcome(reply.body, call.currency)
        return Unknown("confirmed, and yet not confirmed") if isinstance(outcome, NeverSeen) else outcome

    async def _capture(self, call: GatewayCall) -> Outcome:
        amount = to_stripe(call.amount_minor, call.currency)
        return await self._act(call, "capture", {"amount_to_capture": str(amount)}, call.key)

    async def _cancel(self, call: GatewayCall) -> Outcome:
        key = call.key if call.kind is CallKind.VOID else f"{call.key}{recount.CANCEL}"
        return await self._act(call, "cancel", {}, key)

    async def _act(self, call: GatewayCall, act: str, form: Mapping[str, str], key: str) -> Outcome:
        """Something done to the PaymentIntent. Refused for how it stands: how it stands says what became of it."""
        path = f"/v1/payment_intents/{call.parent_reference}/{act}"
        reply = await self._send(path, form, key)
        if not isinstance(reply, Reply):
            return reply
        refused = failed(reply)
        intent = reply.body if refused is None else standing(reply)
        if intent is None or intent.get("id") != call.parent_reference:
            return refused or ANOTHER
        learned = _learned(call, intent)
        if isinstance(learned, NeverSeen):
            return refused or Unknown(f"{act}, and yet it is {intent.get('status')!r}")
        return learned

    async def _refund(self, call: GatewayCall) -> Outcome:
        amount = to_stripe(call.amount_minor, call.currency)
        form = {"payment_intent": str(call.parent_reference), "amount": str(amount), **_metadata(call)}
        reply = await self._post("/v1/refunds", form, call.key)
        if not isinstance(reply, Reply):
            return reply
        return refund_outcome(reply.body, call.currency) if _is_ours(reply.body, call) else ANOTHER

    async def _find_refund(self, call: GatewayCall) -> Inquiry:
        query = {"payment_intent": str(call.parent_reference), "limit": "100"}
        reply = await self._transport.send("GET", "/v1/refunds", query=query)
        if not isinstance(reply, Reply):
            return reply
        if failed(reply) is not None:
            return Unknown("Stripe did not answer the inquiry")
        refunds = listed(reply.body)
        if refunds is None:
            return Unknown("an answer that is no list of refunds")
        for refund in refunds:
            if _is_ours(refund, call):
                return refund_outcome(refund, call.currency)
        return Unknown("more refunds than one page") if reply.body.get("has_more") else NeverSeen()

    async def _post(
        self, path: str, form: Mapping[str, str], key: str
    ) -> Reply | Declined | NotSent | Unknown:
        reply = await self._send(path, form, key)
        if not isinstance(reply, Reply):
            return reply
        return failed(reply) or reply

    async def _send(self, path: str, form: Mapping[str, str], key: str) -> Reply | NotSent | Unknown:
        return await self._transport.send(
            "POST", path, form=list(form.items()), headers={"Idempotency-Key": key}
        )


def _card_form(card: Card) -> dict[str, str]:
    return {
        "type": "card",
        "card[number]": card.number,
        "card[exp_month]": str(card.exp_month),
        "card[exp_year]": str(card.exp_year),
        "card[cvc]": card.cvc,
    }


def _intent_form(call: GatewayCall, method: str) -> dict[str, str]:
    return {
        "amount": str(to_stripe(call.amount_minor, call.currency)),
        "currency": call.currency.lower(),
        "payment_method": method,
        "payment_method_types[0]": "card",
        "capture_method": "manual" if call.kind is CallKind.AUTHORIZE else "automatic",
        **_metadata(call),
    }


def _unpayable(call: GatewayCall) -> Declined | None:
    """A refusal of what Stripe cannot count, be it a charge or a part of one; it is never rounded."""
    if call.kind in {CallKind.VOID, CallKind.CANCEL_ACTION}:
        return None
    try:
        to_stripe(call.amount_minor, call.currency)
    except UnpayableAmount as wrong:
        return Declined("amount_not_supported", f"The gateway cannot take it: {wrong}.", retryable=False)
    return None


def _metadata(call: GatewayCall) -> dict[str, str]:
    """Whose an object is and what it stands for: for webhooks, inquiries, and a database that lost it."""
    return {f"metadata[{name}]": value for name, value in ({KEY_FIELD: call.key} | told_of(call)).items()}


def _is_ours(thing: dict[str, Any], call: GatewayCall) -> bool:
    """Whether the object carries our key of this call."""
    return (thing.get("metadata") or {}).get(KEY_FIELD) == call.key


def _learned(call: GatewayCall, intent: dict[str, Any]) -> Inquiry:
    """What the PaymentIntent, as it stands, says of the call. What it stands in the way of is declined by that."""
    status = str(intent.get("status"))
    if call.kind is CallKind.CAPTURE:
        return {"succeeded": _captured(call, intent), "canceled": VOIDED}.get(status, NeverSeen())
    if call.kind in {CallKind.VOID, CallKind.CANCEL_ACTION}:
        return {"succeeded": CAPTURED, "canceled": _cancelled(call, intent)}.get(status, NeverSeen())
    return intent_outcome(intent, call.currency)


def _captured(call: GatewayCall, intent: dict[str, Any]) -> Outcome:
    received = intent.get("amount_received")
    amount = call.amount_minor if received is None else from_stripe(int(received), call.currency)
    return Approved(str(intent.get("id")), amount)


def _cancelled(call: GatewayCall, intent: dict[str, Any]) -> Outcome:
    reference = str(intent.get("id"))
    return Approved(reference, call.amount_minor) if call.kind is CallKind.VOID else Cancelled(reference)
