"""Large refunds: who asks for one does not approve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Query
from starlette.responses import Response

from eci_payments.api import examples
from eci_payments.api.documented import mutation, read, success
from eci_payments.api.edge import Mutation, Read
from eci_payments.api.paths import ApprovalIdPath
from eci_payments.api.routes.charging import UNREACHABLE
from eci_payments.api.routes.listing import one_of, up_to
from eci_payments.api.schemas.requests import ApprovalBody
from eci_payments.api.schemas.responses import ApprovalDocument, ApprovalList, PaymentDocument
from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.ids import MAX_SAFE_INTEGER, RefundId
from eci_payments.domain.refund import ApprovalStatus
from eci_payments.operations.answers import approval_document, encode
from eci_payments.operations.commands import DecideApproval
from eci_payments.operations.service import Payments
from eci_payments.store.approvals import find_approval, list_approvals

if TYPE_CHECKING:
    from eci_payments.api.services import Principal, Services

_REPLAYED = "Idempotent-Replayed"
DEFAULT_SIZE, MAX_SIZE = 20, 100


@dataclass(frozen=True, slots=True)
class Approval:
    """The approval with this id."""

    approval_id: RefundId


@dataclass(frozen=True, slots=True)
class Approvals:
    """Those in this state (None: any), behind the id ``after``."""

    status: ApprovalStatus | None
    page_size: int
    after: int


def decide_approval(approval_id: ApprovalIdPath, body: ApprovalBody) -> DecideApproval:
    """Approve a refund that awaits it, or reject it.

    The key that asked for the refund cannot approve it (403 `another_key_needed`), but it can take it back. Approved,
    the refund is made at once, and the answer is the one of a refund: 200, 202 while its outcome is not known, 409 when
    the gateway declines. It is decided once: afterwards, or when its time has run out, the answer is 409
    `illegal_state`.
    """
    return DecideApproval(approval_id=approval_id, approves=body.decision == "approve", reason=body.reason)


def approval_by_id(approval_id: ApprovalIdPath) -> Approval:
    """A refund that needed approval: who asked, until when, who decided and why."""
    return Approval(approval_id)


def approvals(
    *,
    status: ApprovalStatus | None = None,
    page_size: Annotated[int, Query(ge=1, le=MAX_SIZE)] = DEFAULT_SIZE,
    after: Annotated[
        int | None, Query(ge=1, le=MAX_SAFE_INTEGER, description="`next_after` of the page before.")
    ] = None,
) -> Approvals:
    """Refunds that needed approval, oldest first; `status=AWAITING_APPROVAL` is what there is to decide."""
    return Approvals(status, page_size, after or 0)


async def _approval(services: Services, who: Principal, asked: Approval) -> Response:
    async with services.database.read() as session:
        found = await find_approval(session, who.merchant_id, asked.approval_id)
    if found is None:
        raise Refusal(RefusalCode.NOT_FOUND, "There is no such approval.")
    return Response(encode(approval_document(found)), media_type="application/json")


async def _approvals(services: Services, who: Principal, asked: Approvals) -> Response:
    async with services.database.read() as session:
        found = await list_approvals(
            session, who.merchant_id, asked.status, after=asked.after, limit=asked.page_size + 1
        )
    shown = found[: asked.page_size]
    body = {
        "approvals": [approval_document(each) for each in shown],
        "next_after": shown[-1].refund_id if len(found) > len(shown) else None,
    }
    return Response(encode(body), media_type="application/json")


MUTATIONS = (
    Mutation(
        method="POST",
        path="/v1/approvals/{approval_id}",
        endpoint=decide_approval,
        does=Payments.decide_approval,
        body_model=ApprovalBody,
        documented=mutation(
            "Approve or reject a refund",
            PaymentDocument,
            "another_key_needed",
            "not_found",
            "illegal_state",
            "operation_in_progress",
            "gateway_declined",
            "amount_exceeds_refundable",
            "card_data_not_allowed",
            UNREACHABLE,
            bodies=examples.APPROVAL_BODIES,
            answers={
                200: success("The payment with the refund", examples.REFUNDED, _REPLAYED),
                202: success("The outcome is not known yet", examples.REFUNDED, "Retry-After", _REPLAYED)
                | {"model": PaymentDocument},
            },
        ),
    ),
)
READS = (
    Read(
        path="/v1/approvals",
        endpoint=approvals,
        answer=_approvals,
        query={
            "status": one_of(ApprovalStatus),
            "page_size": up_to(MAX_SIZE),
            "after": up_to(MAX_SAFE_INTEGER),
        },
        documented=read(
            "List approvals", ApprovalList, answers={200: success("The approvals", examples.APPROVALS)}
        ),
    ),
    Read(
        path="/v1/approvals/{approval_id}",
        endpoint=approval_by_id,
        answer=_approval,
        documented=read(
            "Read an approval",
            ApprovalDocument,
            "not_found",
            answers={200: success("The approval", examples.APPROVAL)},
        ),
    ),
)
