"""The list of payments: filters, pages, and cursors that make deep pages cost no more than the first."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response

from eci_payments.api import examples
from eci_payments.api.cursor import LONGEST, Cursor, Cursors
from eci_payments.api.documented import read, success
from eci_payments.api.edge import Read
from eci_payments.api.schemas.responses import PaymentList
from eci_payments.domain.ids import external_id
from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus, ProcessingReason
from eci_payments.operations.answers import encode, payment_document, when
from eci_payments.store.reads import Filter, list_payments

if TYPE_CHECKING:
    from eci_payments.api.services import Principal, Services
    from eci_payments.store.reads import Page

PATH = "/v1/payments"
DEFAULT_SIZE, MAX_SIZE = 10, 100
MAX_PAGE = 10_000
"""A page by number costs what stands before it; whoever walks further takes the cursor."""
_WHOLE = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listing:
    """One page that is asked for. ``cursor`` goes before ``page``."""

    wanted: Filter
    page: int
    page_size: int
    cursor: str | None


def _id(text: str) -> str:
    return external_id(text)


def one_of(words: type[StrEnum]) -> Callable[[str], str]:
    """A parameter that is one of these words."""

    def read_word(text: str) -> str:
        if text not in set(words):
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return read_word


def up_to(most: int) -> Callable[[str], int]:
    """A parameter that is a whole number from 1 on."""

    def read_number(text: str) -> int:
        if not _WHOLE.fullmatch(text) or int(text) > most:
            raise ValueError(f"must be an integer from 1 to {most}")
        return int(text)

    return read_number


def _time(text: str) -> datetime:
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be an RFC 3339 time with its zone, such as 2026-11-23T12:00:00Z (write + as %2B)")


_RULES: dict[str, Callable[[str], Any]] = {
    "status": one_of(PaymentStatus),
    "payment_method": one_of(PaymentMethod),
    "user_id": _id,
    "order_id": _id,
    "processing_reason": one_of(ProcessingReason),
    "created_from": _time,
    "created_to": _time,
    "page": up_to(MAX_PAGE),
    "page_size": up_to(MAX_SIZE),
    "cursor": str,
}
_ID = Query(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$")


def payments(  # noqa: PLR0913 - one argument per parameter of the query
    *,
    status: PaymentStatus | None = None,
    payment_method: PaymentMethod | None = None,
    user_id: Annotated[str | None, _ID] = None,
    order_id: Annotated[str | None, _ID] = None,
    processing_reason: ProcessingReason | None = None,
    created_from: Annotated[datetime | None, Query(description="Created then or later.")] = None,
    created_to: Annotated[datetime | None, Query(description="Created before then.")] = None,
    page: Annotated[int | None, Query(ge=1, le=MAX_PAGE, description="1 where absent.")] = None,
    page_size: Annotated[int, Query(ge=1, le=MAX_SIZE)] = DEFAULT_SIZE,
    cursor: Annotated[
        str | None,
        Query(
            max_length=LONGEST,
            description="`next_cursor` of the page before, with the same filters; goes before `page`.",
        ),
    ] = None,
) -> Listing:
    """Payments, newest first. Parameters that are not named here are refused."""
    wanted = Filter(
        status=status,
        payment_method=payment_method,
        user_id=user_id,
        order_id=order_id,
        processing_reason=processing_reason,
        created_from=created_from,
        created_to=created_to,
    )
    return Listing(wanted, page or 1, page_size, cursor)


async def _list(services: Services, who: Principal, asked: Listing) -> Response:
    cursors = Cursors(services.fingerprint_key, who.merchant_id, asked.wanted)
    after = cursors.read(asked.cursor) if asked.cursor is not None else None
    number = after.page if after else asked.page
    async with services.database.read() as session:
        page = await list_payments(
            session,
            who.merchant_id,
            asked.wanted,
            limit=asked.page_size,
            offset=0 if after else (number - 1) * asked.page_size,
            before=(after.created_at, after.payment_id) if after else None,
        )
    following = _following(cursors, page, number)
    body = encode(
        {
            "total": page.total,
            "total_is_exact": page.total_is_exact,
            "page": number,
            "page_size": asked.page_size,
            "payments": [payment_document(v.payment, v.refunds, v.audit, v.disputes) for v in page.views],
            "next_cursor": following,
        }
    )
    base = services.problem_base
    headers = {"Link": f'<{base}{_address(asked, following)}>; rel="next"'} if following else {}
    return Response(body, headers=headers, media_type="application/json")


def _following(cursors: Cursors, page: Page, number: int) -> str | None:
    if not page.more:
        return None
    last = page.views[-1].payment
    return cursors.written(Cursor(last.created_at, last.payment_id, number + 1))


def _address(asked: Listing, cursor: str) -> str:
    filters = {name: value for name, value in asdict(asked.wanted).items() if value is not None}
    texts = {name: when(value) if isinstance(value, datetime) else value for name, value in filters.items()}
    return f"{PATH}?{urlencode(texts | {'page_size': asked.page_size, 'cursor': cursor})}"


READS = (
    Read(
        path=PATH,
        endpoint=payments,
        answer=_list,
        query=_RULES,
        documented=read(
            "List payments",
            PaymentList,
            "invalid_cursor",
            answers={200: success("One page", examples.LIST, "Link")},
        ),
    ),
)
