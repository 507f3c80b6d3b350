"""One Razorpay account as a `Gateway`.

A charge is two calls: an order, which moves no money, whose id is committed; then the payment of that order. Razorpay
takes one payment per order, and is asked about the order's payments. It has no void (an authorization that is not
captured lapses by itself) and no way to cancel a payment that waits for its customer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.accounts import Narrow, unchanged
from eci_payments.gateways.adapters.razorpay import recount, requests
from eci_payments.gateways.adapters.razorpay.events import read_webhook
from eci_payments.gateways.adapters.razorpay.mapping import (
    created_outcome,
    failed,
    found_refund,
    listed,
    payment_outcome,
    payments_outcome,
    refund_outcome,
)
from eci_payments.gateways.contract import (
    CallKind,
    Capabilities,
    Declined,
    GatewayCall,
    Inquiry,
    Listed,
    Listing,
    NeverSeen,
    NotSent,
    Outcome,
    Preparation,
    Prepared,
    Unknown,
)
from eci_payments.gateways.transport import Reply, Transport, is_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from eci_payments.gateways.adapters.razorpay.requests import Request
    from eci_payments.gateways.hooks import GatewayEvent

_ONLINE = frozenset(PaymentMethod) - {PaymentMethod.COD}
CARDS = frozenset({PaymentMethod.CREDIT_CARD, PaymentMethod.DEBIT_CARD})
CAPABILITIES = Capabilities(
    methods=_ONLINE,
    currencies=None,
    currencies_of=dict.fromkeys(_ONLINE - CARDS, frozenset({"INR"})),
    partial_capture=False,
    multiple_capture=False,
    inquiry_by_key=False,
    never_seen_after_s=120.0,
    key_window_s=24 * 3600.0,
    recounts=True,
    unlisted=frozenset({CallKind.CAPTURE}),
    instrument_required=_ONLINE,
    lists_instruments=True,
)
ANOTHER = Unknown("an answer about something else than was asked about")
"""A line that was confused, by a proxy or by an answer sent twice, must not speak for a payment."""
NO_VOID = Declined(
    "not_supported", "This gateway cannot cancel; what is not captured lapses by itself.", retryable=False
)


class RazorpayGateway:
    """``key_id`` and ``key_secret`` are the account's; ``email`` and ``contact`` stand for customers who give none."""

    def __init__(
        self,
        name: str,
        key_id: str,
        key_secret: str,
        base_url: str,
        *,
        email: str,
        contact: str,
        timeout_s: float,
        narrow: Narrow = unchanged,
    ) -> None:
        self.name = name
        self.capabilities = narrow(CAPABILITIES)
        self._email, self._contact = email, contact
        self._transport = Transport(base_url, headers={}, auth=(key_id, key_secret), timeout_s=timeout_s)

    async def prepare(self, call: GatewayCall) -> Preparation:
        """Make the order: no money moves yet."""
        if (refused := _unpayable(call)) is not None:
            return refused
        reply = await self._send(requests.create_order(call))
        if not isinstance(reply, Reply):
            return reply
        failure = failed(reply)
        if failure is not None:
            return failure
        reference = reply.body.get("id")
        if not is_reference(reference) or reply.body.get("receipt") != call.key:
            return ANOTHER
        return Prepared(str(reference))

    async def perform(self, call: GatewayCall) -> Outcome:
        """Do it."""
        if (refused := _unpayable(call)) is not None:
            return refused
        match call.kind:
            case CallKind.CHARGE | CallKind.AUTHORIZE:
                return await self._pay(call)
            case CallKind.CAPTURE:
                return await self._capture(call)
            case CallKind.REFUND:
                return await self._refund(call)
            case CallKind.VOID | CallKind.CANCEL_ACTION:
                return NO_VOID

    async def inquire(self, call: GatewayCall) -> Inquiry:
        """What became of it: by the order's payments, the payment, or the payment's refunds."""
        match call.kind:
            case CallKind.CHARGE | CallKind.AUTHORIZE:
                return await self._find_payment(call)
            case CallKind.CAPTURE:
                return await self._one_payment(call, str(call.parent_reference))
            case CallKind.REFUND:
                return await self._find_refund(call)
            case CallKind.VOID | CallKind.CANCEL_ACTION:
                return NO_VOID

    async def list_instruments(self) -> Listing | NotSent | Unknown:
        """The methods, banks and wallets that are switched on for the account."""
        reply = await self._send(requests.methods())
        return listed(reply) if isinstance(reply, Reply) else reply

    async def operations_since(self, since: datetime) -> Sequence[Listed] | NotSent | Unknown:
        """Charges, authorizations and refunds of ours since then, from Razorpay's lists."""
        return await recount.operations_since(self._send, since)

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], _now_s: float
    ) -> GatewayEvent:
        """A webhook of Razorpay, which signs no time. Raises BadWebhook."""
        return read_webhook(headers, body, secrets)

    async def close(self) -> None:
        """Give back connections."""
        await self._transport.close()

    async def _pay(self, call: GatewayCall) -> Outcome:
        if call.reference is None:
            return NotSent("no order was made at the gateway")
        reply = await self._send(requests.create_payment(call, email=self._email, contact=self._contact))
        if not isinstance(reply, Reply):
            return reply
        return failed(reply) or created_outcome(call, reply.body)

    async def _capture(self, call: GatewayCall) -> Outcome:
        reply = await self._send(requests.capture(call))
        if not isinstance(reply, Reply):
            return reply
        refused = failed(reply)
        if refused is not None:
            return refused
        if reply.body.get("id") != call.parent_reference:
            return ANOTHER
        outcome = payment_outcome(call, reply.body)
        return Unknown("captured, and yet not captured") if isinstance(outcome, NeverSeen) else outcome

    async def _refund(self, call: GatewayCall) -> Outcome:
        reply = await self._send(requests.refund(call))
        if not isinstance(reply, Reply):
            return reply
        refused = failed(reply)
        if refused is not None:
            return refused
        return refund_outcome(reply.body) if reply.body.get("receipt") == call.key else ANOTHER

    async def _find_payment(self, call: GatewayCall) -> Inquiry:
        if call.reference is None:
            return NeverSeen()
        if call.reference.startswith("pay_"):
            return await self._one_payment(call, call.reference)
        reply = await self._ask(requests.payments_of_order(call.reference))
        return payments_outcome(call, reply.body) if isinstance(reply, Reply) else reply

    async def _one_payment(self, call: GatewayCall, payment_id: str) -> Inquiry:
        reply = await self._ask(requests.payment(payment_id))
        if not isinstance(reply, Reply):
            return reply
        return payment_outcome(call, reply.body) if reply.body.get("id") == payment_id else ANOTHER

    async def _find_refund(self, call: GatewayCall) -> Inquiry:
        reply = await self._ask(requests.refunds_of_payment(str(call.parent_reference)))
        return found_refund(call, reply.body) if isinstance(reply, Reply) else reply

    async def _ask(self, request: Request) -> Reply | NotSent | Unknown:
        """A question. No refusal says that something was never seen: credentials of another account know nothing."""
        reply = await self._send(request)
        if not isinstance(reply, Reply):
            return reply
        return reply if failed(reply) is None else Unknown("Razorpay did not answer the inquiry")

    async def _send(self, request: Request) -> Reply | NotSent | Unknown:
        return await self._transport.send(
            request.verb,
            request.path,
            json=request.body,
            query=request.query or None,
            headers=request.headers,
        )


def _unpayable(call: GatewayCall) -> Declined | None:
    """A refusal of what Razorpay cannot count, be it a charge or a part of one; it is never rounded."""
    if call.kind in {CallKind.VOID, CallKind.CANCEL_ACTION}:
        return None
    try:
        requests.amount_of(call)
    except requests.UnpayableAmount as wrong:
        return Declined("amount_not_supported", f"The gateway cannot take it: {wrong}.", retryable=False)
    return None
