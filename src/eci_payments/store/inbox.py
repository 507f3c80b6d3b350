"""The inbox of webhooks: taken in once, claimed by workers with a lease, and settled with what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from eci_payments.domain.ids import SINGLE_SHOP, MerchantId, OperationId, PaymentId
from eci_payments.domain.inbox import InboxId, InboxState, InboxWrite
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from eci_payments.store.session import ReadSession, WriteSession

MAX_LISTED = 1000
"""One answer's bound; older ones follow with ``before``."""
MAX_REPLAYED = 500
"""Replays of one transaction, so that its locks are held for milliseconds."""
_LAST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """An event as it is taken in. ``told`` is it in our words, ``payload`` its own JSON, masked."""

    merchant_id: MerchantId
    account: str
    event_id: str
    event_type: str
    occurred_at: datetime
    told: dict[str, Any]
    payload: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """One row of ``gateway_inbox``.

    ``age_s`` is how long it has waited by the database's clock: since it was received, or was last replayed.
    """

    merchant_id: MerchantId
    inbox_id: InboxId
    account: str
    event_id: str
    event_type: str
    occurred_at: datetime
    received_at: datetime
    told: dict[str, Any]
    payload: Any
    state: InboxState
    why: str | None
    payment_id: PaymentId | None
    attempts: int
    due_at: datetime | None
    lease_epoch: int
    concluded_at: datetime | None
    age_s: float


@dataclass(frozen=True, slots=True)
class Target:
    """The operation of ours that an event is about."""

    payment_id: PaymentId
    operation_id: OperationId


async def take_in(session: WriteSession, incoming: Incoming) -> bool:
    """Keep an event; False when it is there already. One of a merchant that does not exist is the single shop's.

    The caller commits.
    """
    values = (
        incoming.merchant_id,
        incoming.account,
        incoming.event_id,
        incoming.event_type,
        incoming.occurred_at,
        msgspec.json.encode(incoming.told).decode(),
        msgspec.json.encode(incoming.payload).decode(),
        SINGLE_SHOP,
    )
    return bool(await run(session, _TAKE_IN, *values))


async def owner_of(
    session: ReadSession | WriteSession, account: str, keys: Sequence[str], charges: Sequence[str]
) -> MerchantId | None:
    """The merchant whose operation has one of these keys or ids of a charge: for gateways that do not say."""
    found = await run(session, _OWNER, account, list(keys), list(charges))
    return MerchantId(found[0].merchant_id) if found else None


async def claim_inbox(session: WriteSession, *, limit: int, lease_s: float) -> list[InboxRow]:
    """Events that are due, oldest first, each claimed with a new lease epoch."""
    claimed = [_row(row) for row in await run(session, _CLAIM, limit, lease_s)]
    return sorted(claimed, key=lambda row: row.inbox_id)


async def settle_inbox(session: WriteSession, merchant_id: MerchantId, write: InboxWrite) -> bool:
    """Note what became of an event that no payment was found for; False when somebody else has it by now."""
    values = (
        merchant_id,
        write.inbox_id,
        write.expected_epoch,
        write.state,
        write.why,
        write.payment_id,
        write.due_at,
    )
    return bool(await run(session, _SETTLE, *values))


async def find_target(
    session: ReadSession | WriteSession,
    merchant_id: MerchantId,
    account: str,
    keys: Sequence[str],
    charges: Sequence[str],
) -> Target | None:
    """The operation with the first of our keys that there is; else the newest charge with one of the gateway's ids."""
    found = await run(session, _FIND, merchant_id, account, list(keys), list(charges))
    return Target(PaymentId(found[0].payment_id), OperationId(found[0].operation_id)) if found else None


async def list_inbox(
    session: ReadSession | WriteSession,
    merchant_id: MerchantId,
    state: InboxState | None = None,
    limit: int = 50,
    *,
    before: InboxId | None = None,
) -> list[InboxRow]:
    """Events of one merchant, newest first; ``before`` continues below an id that was shown."""
    sql = _LIST.format(of_state=f"AND t.state = '{state}'" if state else "")
    return [
        _row(row) for row in await run(session, sql, merchant_id, before or _LAST_ID, min(limit, MAX_LISTED))
    ]


async def find_inbox(
    session: ReadSession | WriteSession, merchant_id: MerchantId, inbox_id: InboxId
) -> InboxRow | None:
    """One event."""
    found = await run(session, _ONE, merchant_id, inbox_id)
    return _row(found[0]) if found else None


async def replay_inbox(session: WriteSession, merchant_id: MerchantId, inbox_id: InboxId | None) -> int:
    """Have one event applied again, or with None the first `MAX_REPLAYED` that are held; how many will be."""
    return len(await run(session, _REPLAY, merchant_id, inbox_id, MAX_REPLAYED))


async def dismiss_inbox(session: WriteSession, merchant_id: MerchantId, inbox_id: InboxId, why: str) -> bool:
    """End an event that waits for a person, by a person's word; False when it does not."""
    return bool(await run(session, _DISMISS, merchant_id, inbox_id, why))


async def forget_inbox(session: WriteSession, after: timedelta, limit: int = 500) -> int:
    """Forget events that were applied or ignored this long ago, a batch at a time; how many there were."""
    return len(await run(session, _FORGET, after, limit))


_NAMES = (
    "merchant_id", "inbox_id", "account", "event_id", "event_type", "occurred_at", "received_at", "told", "payload",
    "state", "why", "payment_id", "attempts", "due_at", "lease_epoch", "concluded_at",
)  # fmt: skip
_COLUMNS = (
    ", ".join(f"t.{name}" for name in _NAMES)
    + ", extract(epoch FROM clock_timestamp() - t.waiting_since)::float8 AS age_s"
)


def _row(row: Any) -> InboxRow:
    values = {name: getattr(row, name) for name in _NAMES}
    return InboxRow(**(values | {"state": InboxState(row.state), "age_s": row.age_s}))


_TAKE_IN = """
INSERT INTO gateway_inbox (merchant_id, account, event_id, event_type, occurred_at, told, payload)
SELECT coalesce((SELECT m.merchant_id FROM merchants m WHERE m.merchant_id = $1), $8::bigint), $2, $3, $4, $5,
       $6::text::jsonb, $7::text::jsonb
ON CONFLICT (merchant_id, account, event_id) DO NOTHING RETURNING inbox_id
"""
_CLAIM = f"""
UPDATE gateway_inbox AS t
SET lease_epoch = t.lease_epoch + 1, attempts = t.attempts + 1, due_at = now() + make_interval(secs => $2)
FROM (
    SELECT merchant_id, inbox_id FROM gateway_inbox WHERE state = 'PENDING' AND due_at <= now()
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
) AS due
WHERE t.merchant_id = due.merchant_id AND t.inbox_id = due.inbox_id
RETURNING {_COLUMNS}
"""
_SETTLE = """
UPDATE gateway_inbox SET state = $4, why = $5, payment_id = $6, due_at = $7::timestamptz,
       concluded_at = CASE WHEN $4 = 'PENDING' THEN NULL ELSE now() END
WHERE merchant_id = $1 AND inbox_id = $2 AND lease_epoch = $3 AND state = 'PENDING' RETURNING inbox_id
"""
_OWNER = """
SELECT m.merchant_id FROM merchants m
WHERE EXISTS (SELECT FROM operations o
              WHERE o.merchant_id = m.merchant_id AND o.gateway = $1 AND o.gateway_key = ANY ($2::text[]))
   OR EXISTS (SELECT FROM operations o
              WHERE o.merchant_id = m.merchant_id AND o.gateway = $1 AND o.gateway_reference = ANY ($3::text[])
                AND o.kind IN ('CHARGE', 'AUTHORIZE'))
ORDER BY m.merchant_id LIMIT 1
"""
_FIND = """
SELECT payment_id, operation_id, array_position($3::text[], gateway_key) AS rank FROM operations
WHERE merchant_id = $1 AND gateway = $2 AND gateway_key = ANY ($3::text[])
UNION ALL
(SELECT payment_id, operation_id, 1000 FROM operations
 WHERE merchant_id = $1 AND gateway = $2 AND gateway_reference = ANY ($4::text[]) AND kind IN ('CHARGE', 'AUTHORIZE')
 ORDER BY operation_id DESC LIMIT 1)
ORDER BY rank LIMIT 1
"""
_LIST = f"""
SELECT {_COLUMNS} FROM gateway_inbox t
WHERE t.merchant_id = $1 AND t.inbox_id < $2 {{of_state}} ORDER BY t.inbox_id DESC LIMIT $3
"""
_ONE = f"SELECT {_COLUMNS} FROM gateway_inbox t WHERE t.merchant_id = $1 AND t.inbox_id = $2"
_REPLAY = """
UPDATE gateway_inbox SET state = 'PENDING', due_at = now(), waiting_since = now(), concluded_at = NULL,
       lease_epoch = lease_epoch + 1
WHERE merchant_id = $1 AND inbox_id IN (
    SELECT inbox_id FROM gateway_inbox
    WHERE merchant_id = $1 AND CASE WHEN $2::bigint IS NULL THEN state IN ('MISMATCH', 'PARKED')
                                    ELSE inbox_id = $2 AND state <> 'PENDING' END
    ORDER BY inbox_id LIMIT $3
)
RETURNING inbox_id
"""
_DISMISS = """
UPDATE gateway_inbox SET state = 'IGNORED', why = $3, concluded_at = now(), lease_epoch = lease_epoch + 1
WHERE merchant_id = $1 AND inbox_id = $2 AND state IN ('MISMATCH', 'PARKED') RETURNING inbox_id
"""
_FORGET = """
DELETE FROM gateway_inbox t USING (
    SELECT merchant_id, inbox_id FROM gateway_inbox
    WHERE state IN ('APPLIED', 'IGNORED') AND concluded_at < now() - $1::interval
    ORDER BY concluded_at LIMIT $2 FOR UPDATE SKIP LOCKED
) AS old
WHERE t.merchant_id = old.merchant_id AND t.inbox_id = old.inbox_id RETURNING t.inbox_id
"""
