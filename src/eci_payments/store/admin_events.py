"""The trail of administrative acts, operators' moves and refused access (PCI DSS 4.0.1, 10.2.1 and 10.2.2).

Insert-only for the service's role. What is repeated within a moment is one row with its number of ``times``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from eci_payments.domain.ids import MerchantId
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eci_payments.store.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True)
class AdminEvent:
    """Who did what to what, from where, and how it ended. Times are the database's."""

    merchant_id: MerchantId
    actor: str
    action: str
    subject: str
    result: str
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as it stands in the trail."""

    event_id: int
    occurred_at: datetime
    event: AdminEvent
    correlation_id: str | None
    times: int


@dataclass(slots=True)
class Occurrence:
    """How often something happened since it was last written down, and the first time's correlation id."""

    correlation_id: str | None
    times: int = 1


async def record(session: WriteSession, events: Mapping[AdminEvent, Occurrence]) -> None:
    """Add these to the trail."""
    columns = zip(*(_values(event, seen) for event, seen in events.items()), strict=True)
    await run(session, _ADD, *(list(column) for column in columns))


async def record_one(session: WriteSession, event: AdminEvent) -> None:
    """Add one to the trail, in the commit of what it tells of."""
    await record(session, {event: Occurrence(None)})


async def newest_events(
    session: ReadSession | WriteSession, merchant_id: int, limit: int = 100
) -> Sequence[RecordedEvent]:
    """The newest of a merchant's trail, newest first."""
    rows = await run(session, _NEWEST, merchant_id, limit)
    return [
        RecordedEvent(
            row.event_id,
            row.occurred_at,
            AdminEvent(row.merchant_id, row.actor, row.action, row.subject, row.result, row.origin),
            row.correlation_id,
            row.times,
        )
        for row in rows
    ]


def _values(event: AdminEvent, seen: Occurrence) -> tuple[object, ...]:
    return (
        event.merchant_id,
        event.actor,
        event.action,
        event.subject,
        event.result,
        event.origin,
        seen.correlation_id,
        seen.times,
    )


_ADD = """
INSERT INTO admin_events (merchant_id, actor, action, subject, result, origin, correlation_id, times)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
"""
_NEWEST = """
SELECT merchant_id, event_id, occurred_at, actor, action, subject, result, origin, correlation_id, times
FROM admin_events WHERE merchant_id = $1 ORDER BY event_id DESC LIMIT $2
"""
