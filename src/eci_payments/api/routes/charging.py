"""Taking an order's money: charge, create, confirm, capture, and giving up before it is taken."""

from __future__ import annotations

from eci_payments.api import examples
from eci_payments.api.documented import mutation, success
from eci_payments.api.edge import Mutation
from eci_payments.api.paths import PaymentIdPath
from eci_payments.api.schemas.requests import CaptureBody, ChargeBody, ConfirmBody, CreateBody
from eci_payments.api.schemas.responses import PaymentDocument
from eci_payments.domain.ids import OrderId, UserId
from eci_payments.operations.commands import Cancel, Capture, Charge, Confirm, Create
from eci_payments.operations.service import Payments

TAKING = (
    "order_in_progress",
    "order_already_paid",
    "order_outcome_unknown",
    "order_refunded",
    "user_mismatch",
    "too_many_operations",
)
CHOOSING = ("card_data_not_allowed", "method_not_supported", "instrument_required")
ACTING = ("not_found", "illegal_state", "operation_in_progress", "too_many_operations")
UNREACHABLE = "gateway_unreachable"
_REPLAYED = "Idempotent-Replayed"


def charge(body: ChargeBody) -> Charge:
    """Take an order's money, or with `capture` false only reserve it.

    One order has one payment: a charge of an order whose payment is FAILED or CANCELLED is a new attempt on it, of any
    other order it is refused (409) and the payment named. A declined charge is an answer: 201 with `status` FAILED.
    202 means that the gateway has not said yet what became of it: ask again, by the same key or by GET; never charge
    under another key.
    """
    details = body.payment_details
    return Charge(
        order_id=OrderId(body.order_id),
        user_id=UserId(body.user_id),
        amount_minor=body.amount_minor,
        currency=body.currency,
        method=body.payment_method,
        reference=body.reference,
        capture=body.capture,
        instrument=details.instrument() if details else None,
        return_url=body.return_url,
        metadata=body.metadata or {},
    )


def create(body: CreateBody) -> Create:
    """Register an order's payment without charging it. It expires when it is not confirmed in time."""
    return Create(
        order_id=OrderId(body.order_id),
        user_id=UserId(body.user_id),
        amount_minor=body.amount_minor,
        currency=body.currency,
        method=body.payment_method,
        reference=body.reference,
        capture=body.capture,
        return_url=body.return_url,
        metadata=body.metadata or {},
    )


def confirm(payment_id: PaymentIdPath, body: ConfirmBody = ConfirmBody()) -> Confirm:  # noqa: B008 - frozen
    """Charge a PENDING payment. On REQUIRES_ACTION it only continues the same gateway operation."""
    details = body.payment_details
    return Confirm(
        payment_id=payment_id,
        method=body.payment_method,
        instrument=details.instrument() if details else None,
    )


def capture(payment_id: PaymentIdPath, body: CaptureBody = CaptureBody()) -> Capture:  # noqa: B008 - frozen
    """Take what was authorized, or a part of it.

    Final (the default): the payment is COMPLETED and what is left is released. Not final: it stays AUTHORIZED until the
    last capture, or until DELETE releases the rest.
    """
    return Capture(payment_id=payment_id, amount=body.amount, final=body.final)


def cancel(payment_id: PaymentIdPath) -> Cancel:
    """Give a payment up before its money is taken.

    Voids an authorization; asks the gateway to cancel what waits for the customer; ends a PENDING one at once.
    """
    return Cancel(payment_id=payment_id)


_UNKNOWN = success("The outcome is not known yet", examples.UNKNOWN, "Retry-After", _REPLAYED)

MUTATIONS = (
    Mutation(
        method="POST",
        path="/v1/payments/charge",
        endpoint=charge,
        does=Payments.charge,
        status=201,
        body_model=ChargeBody,
        key_required=True,
        owns_path=True,
        documented=mutation(
            "Charge an order",
            PaymentDocument,
            *TAKING,
            *CHOOSING,
            "charge_refused",
            "amount_above_limit",
            UNREACHABLE,
            bodies=examples.CHARGE_BODIES,
            key_required=True,
            answers={
                201: success("The payment, charged or declined", examples.PAYMENT, "Location", _REPLAYED),
                202: _UNKNOWN | {"model": PaymentDocument},
            },
        ),
    ),
    Mutation(
        method="POST",
        path="/v1/payments",
        endpoint=create,
        does=Payments.create,
        status=201,
        body_model=CreateBody,
        documented=mutation(
            "Create a payment, to be confirmed",
            PaymentDocument,
            *TAKING,
            "card_data_not_allowed",
            "charge_refused",
            "amount_above_limit",
            bodies=examples.CREATE_BODIES,
            answers={201: success("The payment, PENDING", examples.CREATED, "Location", _REPLAYED)},
        ),
    ),
    Mutation(
        method="POST",
        path="/v1/payments/{payment_id}/confirm",
        endpoint=confirm,
        does=Payments.confirm,
        body_model=ConfirmBody,
        body_optional=True,
        key_required=True,
        documented=mutation(
            "Confirm a payment",
            PaymentDocument,
            *ACTING,
            *CHOOSING,
            "charge_refused",
            "amount_above_limit",
            "action_pending",
            UNREACHABLE,
            bodies=examples.CONFIRM_BODIES,
            key_required=True,
            answers={
                200: success("The payment, charged or declined", examples.PAYMENT, _REPLAYED),
                202: _UNKNOWN | {"model": PaymentDocument},
            },
        ),
    ),
    Mutation(
        method="POST",
        path="/v1/payments/{payment_id}/capture",
        endpoint=capture,
        does=Payments.capture,
        body_model=CaptureBody,
        body_optional=True,
        documented=mutation(
            "Capture an authorization",
            PaymentDocument,
            *ACTING,
            "possible_duplicate",
            "gateway_declined",
            "amount_exceeds_authorized",
            "partial_capture_unsupported",
            UNREACHABLE,
            bodies=examples.CAPTURE_BODIES,
            answers={
                200: success("The payment, captured", examples.PAYMENT, _REPLAYED),
                202: _UNKNOWN | {"model": PaymentDocument},
            },
        ),
    ),
    Mutation(
        method="DELETE",
        path="/v1/payments/{payment_id}",
        endpoint=cancel,
        does=Payments.cancel,
        documented=mutation(
            "Cancel a payment",
            PaymentDocument,
            *ACTING,
            "cancel_refused",
            "gateway_declined",
            UNREACHABLE,
            answers={
                200: success("The payment, given up", examples.CANCELLED, _REPLAYED),
                202: _UNKNOWN | {"model": PaymentDocument},
            },
        ),
    ),
)
