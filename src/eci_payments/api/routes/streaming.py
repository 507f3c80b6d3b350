"""Following one payment: the read token that a page needs for it, and the stream that tells it of every move."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Query
from starlette.responses import Response

from eci_payments.api import examples
from eci_payments.api.answering import refused
from eci_payments.api.documented import headers, read, success
from eci_payments.api.edge import Described, EdgeRoute, Read
from eci_payments.api.paths import PaymentIdPath, read_path
from eci_payments.api.query import read_query
from eci_payments.api.schemas.responses import ReadTokenDocument
from eci_payments.api.stream.messages import Message, is_settled, of_payment
from eci_payments.api.stream.response import MEDIA_TYPE, EventStream
from eci_payments.api.validation import refused as refused_fields
from eci_payments.domain.errors import FieldError, Refusal, RefusalCode
from eci_payments.operations.answers import encode, when
from eci_payments.store.following import find_head

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope

    from eci_payments.api.services import Principal, Services
    from eci_payments.api.stream.feed import Feed
    from eci_payments.domain.ids import MerchantId, PaymentId
    from eci_payments.domain.payment import Payment

NO_CONTENT = 204
TokenQuery = Annotated[
    str | None,
    Query(
        max_length=200,
        description="A read token, for pages: `EventSource` can send no header. API keys are refused here.",
    ),
]
_SEQUENCE = re.compile(r"[0-9]{1,15}", re.ASCII)
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The last id that came: what has happened since then is told first. Browsers send it by themselves.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
}


@dataclass(frozen=True, slots=True)
class Followed:
    """The payment that is asked for."""

    payment_id: PaymentId


def payment_stream(payment_id: PaymentIdPath, token: TokenQuery = None) -> Followed:
    """Every move of one payment, as Server-Sent Events, from the moment it is committed.

    Without `Last-Event-ID` the first message tells how the payment stands. The stream ends (`event: end`) when nothing
    is under way with the payment any more, after STREAM_MAX_AGE_S, and when the process stops; a browser then comes
    back by itself with the last id, and is told 204 where nothing more is to be expected.
    """
    del token  # who asks is settled by now
    return Followed(payment_id)


def read_token(payment_id: PaymentIdPath) -> Followed:
    """A token with which a page may follow this payment: read it and open its stream, and nothing else.

    It ends by itself, after READ_TOKEN_MIN, and is not stored: ask for another one whenever one is needed.
    """
    return Followed(payment_id)


async def _read_token(services: Services, who: Principal, asked: Followed) -> Response:
    await _head(services, who.merchant_id, asked.payment_id)
    text, token = services.read_tokens.issue(who.merchant_id, asked.payment_id)
    body = {
        "token": text,
        "expires_at": when(services.read_tokens.ends_at(token)),
        "payment_id": asked.payment_id,
    }
    return Response(encode(body), media_type="application/json")


READS = (
    Read(
        path="/v1/payments/{payment_id}/read-token",
        endpoint=read_token,
        answer=_read_token,
        documented=read(
            "Get a read token",
            ReadTokenDocument,
            "not_found",
            answers={200: success("A new token", examples.READ_TOKEN)},
        ),
    ),
)
_DOCUMENTED = read(
    "Follow a payment",
    None,
    "not_found",
    "draining",
    answers={
        200: {
            "description": "The stream",
            "headers": headers(),
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": examples.STREAM}},
        },
        NO_CONTENT: {"description": "Nothing more is to be expected", "headers": headers(), "content": {}},
    },
    parameters=(_LAST_EVENT_ID,),
    response_class=Response,
)
STREAM = Described(
    path="/v1/payments/{payment_id}/stream",
    endpoint=payment_stream,
    query={"token": str},
    documented=_DOCUMENTED,
)


def stream_route(services: Services, feed: Feed) -> EdgeRoute:
    """The route of the stream; its answers are read from this feed."""

    async def handle(scope: Scope, _receive: Receive) -> Any:  # noqa: ANN401 - an ASGI app
        try:
            asked = read_query(scope, STREAM.query)
            who = await services.identify(scope)
            after = _last_event_id(scope)
            payment_id = STREAM.endpoint(**read_path(scope), **asked).payment_id
            return await _opened(services, feed, who, payment_id, after, scope)
        except Exception as error:  # noqa: BLE001 - every error has its answer
            return refused(error, scope, services.problem_base)

    return EdgeRoute(STREAM, "GET", 200, handle)


async def _opened(
    services: Services, feed: Feed, who: Principal, payment_id: PaymentId, after: int | None, scope: Scope
) -> EventStream | Response:
    client = scope.get("client")
    subscription = feed.enter(who.merchant_id, payment_id, client[0] if client else None)
    try:
        payment = await _head(services, who.merchant_id, payment_id)
        if after == payment.event_sequence and is_settled(payment):
            feed.leave(subscription)
            return Response(status_code=NO_CONTENT)
        first, follows = _beginning(payment, after)
        feed.follow(subscription, follows)
    except BaseException:
        feed.leave(subscription)
        raise
    lasts_s = float(services.settings.stream_max_age_s)
    if who.token is not None:
        lasts_s = min(lasts_s, services.read_tokens.left_s(who.token))
    services.let_go(scope)
    return EventStream(feed, subscription, first, lasts_s, _watcher(services, scope))


def _beginning(payment: Payment, after: int | None) -> tuple[Message | None, int]:
    """What is said at once, and the sequence after which events are told. An id that we never gave begins anew."""
    if after is None or after > payment.event_sequence:
        return of_payment(payment), payment.event_sequence
    return None, after


def _watcher(services: Services, scope: Scope) -> Callable[[], Awaitable[bool]]:
    async def still_admitted() -> bool:
        try:
            return await services.still_admits(scope)
        except Exception:  # noqa: BLE001 - while the database is away nothing new is told anyway
            return True

    return still_admitted


def _last_event_id(scope: Scope) -> int | None:
    text = next((value for name, value in scope["headers"] if name == b"last-event-id"), b"").decode(
        "latin-1"
    )
    if text and not _SEQUENCE.fullmatch(text):
        raise refused_fields([FieldError("Last-Event-ID", "must be an id that the stream gave")])
    return int(text) if text else None


async def _head(services: Services, merchant_id: MerchantId, payment_id: PaymentId) -> Payment:
    async with services.database.read() as session:
        payment = await find_head(session, merchant_id, payment_id)
    if payment is None:
        raise Refusal(RefusalCode.NOT_FOUND, "There is no such payment.")
    return payment
