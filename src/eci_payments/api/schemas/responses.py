"""What callers get, as it is documented. The bytes are made by `operations.answers`; tests hold the two together."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from eci_payments.domain.audit import TransactionType
from eci_payments.domain.dispute import DisputeState
from eci_payments.domain.ids import MAX_SAFE_INTEGER
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus, ProcessingReason
from eci_payments.domain.refund import ApprovalStatus, RefundStatus
from eci_payments.gateways.contract import ActionType
from eci_payments.store.reads import TOTAL_MAX


class Shown(BaseModel):
    """An object that has exactly these members."""

    model_config = ConfigDict(extra="forbid")


Amount = Annotated[
    Decimal, WithJsonSchema({"type": "number", "minimum": 0, "description": "In major units, exact."})
]
Minor = Annotated[int, Field(ge=0, description="The same in minor units.")]
OwnId = Annotated[int, Field(ge=1, le=MAX_SAFE_INTEGER)]
ShownId = Annotated[
    int | str,
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_SAFE_INTEGER}, {"type": "string"}],
            "description": "An integer where the id is a canonical positive integer.",
        }
    ),
]


class FailureDocument(Shown):
    """Why something did not happen, in normalised words."""

    code: str
    message: str
    retryable: bool


class NextActionDocument(Shown):
    """What the customer has to do, and until when."""

    type: ActionType
    url: str | None
    upi_uri: str | None
    expires_at: datetime


class TransactionDocument(Shown):
    """One entry of the payment's audit trail."""

    transaction_log_id: OwnId
    transaction_type: TransactionType
    amount: Amount
    amount_minor: Minor
    status: str
    description: str
    created_at: datetime
    before: dict[str, Any] | None
    after: dict[str, Any]
    actor: str


class RefundDocument(Shown):
    """One refund."""

    refund_id: OwnId
    amount: Amount
    amount_minor: Minor
    status: RefundStatus
    reason: str
    failure: FailureDocument | None
    created_at: datetime
    completed_at: datetime | None


class DisputeDocument(Shown):
    """A chargeback, as the gateway told of it. What is disputed or was lost cannot be refunded as well."""

    dispute_id: Annotated[str, Field(description="The gateway's own id.")]
    amount: Amount
    amount_minor: Minor
    status: DisputeState
    reason: str
    created_at: datetime
    closed_at: datetime | None


class PaymentDocument(Shown):
    """A payment, with its audit trail, refunds and disputes, oldest first."""

    payment_id: OwnId
    order_id: ShownId
    user_id: ShownId
    amount: Amount
    amount_minor: Minor
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    payment_method: PaymentMethod
    status: PaymentStatus
    processing_reason: ProcessingReason | None
    transaction_id: Annotated[str, Field(pattern="^TXN[A-Z2-7]{26}$")]
    reference: str
    authorization_code: str | None
    gateway: str | None
    gateway_response: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    captured_at: datetime | None
    amount_authorized: Amount
    amount_authorized_minor: Minor
    amount_captured: Amount
    amount_captured_minor: Minor
    amount_refunded: Amount
    amount_refunded_minor: Minor
    amount_refund_pending: Amount
    amount_refund_pending_minor: Minor
    amount_disputed: Amount
    amount_disputed_minor: Minor
    amount_charged_back: Amount
    amount_charged_back_minor: Minor
    failure: FailureDocument | None
    next_action: NextActionDocument | None
    metadata: dict[str, str]
    transactions: list[TransactionDocument]
    refunds: list[RefundDocument]
    disputes: list[DisputeDocument]


class PaymentList(Shown):
    """One page of payments, newest first."""

    total: Annotated[
        int, Field(ge=0, le=TOTAL_MAX, description=f"How many payments match, counted up to {TOTAL_MAX}.")
    ]
    total_is_exact: Annotated[bool, Field(description="False where more match than were counted.")]
    page: Annotated[int, Field(ge=1)]
    page_size: Annotated[int, Field(ge=1, le=100)]
    payments: list[PaymentDocument]
    next_cursor: Annotated[str | None, Field(description="Where the list goes on; null on its last page.")]


class RefundList(Shown):
    """The refunds of a payment, oldest first."""

    refunds: list[RefundDocument]


class ApprovalDocument(Shown):
    """A refund that needed a second person's word, and how that stands. Its id is the refund's."""

    approval_id: OwnId
    payment_id: OwnId
    status: ApprovalStatus
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    refund: RefundDocument
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None


class ApprovalList(Shown):
    """Approvals, oldest first."""

    approvals: list[ApprovalDocument]
    next_after: Annotated[
        OwnId | None, Field(description="Where the list goes on, as `after`; null on its last page.")
    ]


class ReadTokenDocument(Shown):
    """What a page needs to follow one payment."""

    token: Annotated[str, Field(pattern="^eci_read_[A-Za-z0-9_-]+$")]
    expires_at: datetime
    payment_id: OwnId


class Health(Shown):
    """The service is well."""

    status: Literal["healthy"]
    service: str
    timestamp: datetime


class IllHealth(Shown):
    """The service is not well; ``failing`` names the parts that do not answer."""

    status: Literal["unhealthy"]
    service: str
    timestamp: datetime
    failing: list[Literal["database"]]


class WebhookTaken(Shown):
    """The event is stored; repeats of it get the same answer."""

    received: Literal[True]


class Liveness(Shown):
    """The process runs."""

    status: Literal["alive"]


class Readiness(Shown):
    """The process can take requests."""

    status: Literal["ready"]


class FieldErrorDocument(Shown):
    """One wrong field."""

    field: Annotated[str, Field(description="Its dotted path in the body, or its name in path or query.")]
    message: str


class ProblemDocument(BaseModel):
    """Problem details (RFC 9457). ``code`` is stable; ``type`` leads to a page about it."""

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    code: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    instance: str | None = None
    correlation_id: str | None = None
    errors: list[FieldErrorDocument] | None = None
    payment_id: Annotated[
        OwnId | None, Field(description="The payment that stands in the way, where one does.")
    ] = None
    failure: FailureDocument | None = None
