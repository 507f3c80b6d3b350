"""The limits at work: what is counted and who is blocked, read under lock in the commit that begins the charges.

Each (merchant, subject) that has a window is locked until the commit ends, so that charges of one user or card are
counted one after the other, whichever process begins them. All of a batch's are locked at once in one order; then they
are read, by a statement of its own, which sees what those before have committed. A batch without limits sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.screening import Total, place, refusal, uses, why_not
from eci_payments.store.admin_events import AdminEvent, Occurrence, record
from eci_payments.store.session import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.domain.change import Change
    from eci_payments.domain.screening import Place, Screen, Use
    from eci_payments.store.session import WriteSession


@dataclass(slots=True)
class Screening:
    """What one batch is screened with."""

    totals: dict[Place, Total] = field(default_factory=dict)
    blocked: frozenset[tuple[int, str]] = frozenset()
    _beside: dict[int, tuple[Use, ...]] = field(default_factory=dict)
    _refused: dict[AdminEvent, Occurrence] = field(default_factory=dict)

    def admitted(self, number: int, screen: Screen, change: Change) -> Change:
        """The change of the batch's unit ``number``, with what it counts for. Raises Refusal."""
        payment = change.payment
        if payment.currency != screen.currency:
            raise Refusal(
                RefusalCode.OPERATION_IN_PROGRESS,
                "The payment was changed at this moment; try again.",
                payment_id=payment.payment_id,
                retry_after_s=1,
            )
        beside = [use for each in self._beside.values() for use in each]
        why = why_not(screen, payment.amount_minor, self.totals, beside, self.blocked)
        if why is not None:
            raise Screened(screen, why)
        self._beside[number] = counted = uses(screen, payment)
        return replace(change, uses=counted)

    def take_back(self, number: int) -> None:
        """The unit did not land after all."""
        self._beside.pop(number, None)

    def note(self, screened: Screened) -> None:
        """A refusal that is final, for the trail."""
        screen = screened.screen
        event = AdminEvent(
            screen.merchant_id, screen.actor, "charge refused", screen.about, screened.why, screen.origin
        )
        seen = self._refused.setdefault(event, Occurrence(screen.correlation_id, 0))
        seen.times += 1

    async def write_trail(self, session: WriteSession) -> None:
        """The refusals of this batch, in its commit."""
        if self._refused:
            await record(session, self._refused)


class Screened(Refusal):
    """A charge that its merchant does not take; the refusal says no more than a caller may know, ``why`` does."""

    def __init__(self, screen: Screen, why: str) -> None:
        said = refusal(why)
        super().__init__(said.code, said.detail, errors=said.errors)
        self.screen = screen
        self.why = why


async def load_screening(session: WriteSession, screens: Sequence[Screen]) -> Screening:
    """Lock and read all that these charges are held against."""
    if not screens:
        return Screening()
    places = sorted({place(s, w, subject) for s in screens for w in s.windows for subject in w.subjects})
    counted = {(s.merchant_id, subject) for s in screens for subject in s.counts}
    locked = counted | {(each[0], each[1]) for each in places}
    if locked:
        await run(session, _LOCK, [_lock_number(*each) for each in locked])
    totals: dict[Place, Total] = {}
    if places:
        columns = [list(column) for column in zip(*places, strict=True)]
        for row in await run(session, _TOTALS, *columns):
            totals[row.m, row.s, row.c, row.w, row.p] = Total(int(row.amount), int(row.charges))
    return Screening(totals, await _blocked(session, screens))


async def _blocked(session: WriteSession, screens: Sequence[Screen]) -> frozenset[tuple[int, str]]:
    asked = sorted({(s.merchant_id, subject) for s in screens for subject in s.blocked})
    if not asked:
        return frozenset()
    rows = await run(session, _BLOCKED, [merchant for merchant, _ in asked], [each for _, each in asked])
    return frozenset((row.merchant_id, row.subject) for row in rows)


def _lock_number(merchant_id: int, subject: str) -> int:
    """Two subjects that share a number wait for each other, and nothing worse."""
    digest = sha256(f"{merchant_id}:{subject}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


_LOCK = """
SELECT pg_advisory_xact_lock(o.n) FROM (SELECT DISTINCT n FROM unnest($1::bigint[]) AS n ORDER BY n) AS o
"""
"""Until the transaction ends, as a row's lock would be, and without a row to keep; in order, against deadlocks."""
_TOTALS = """
SELECT r.m, r.s, r.c, r.w, r.p, x.amount, x.charges
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) AS r (m, s, c, w, p)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(u.amount_minor), 0) AS amount, count(*) AS charges
    FROM limit_uses u
    JOIN payments t ON t.merchant_id = u.merchant_id AND t.payment_id = u.payment_id AND t.attempt = u.attempt
    WHERE u.merchant_id = r.m AND u.subject = r.s AND u.currency = r.c AND u.payment_id <> r.p
      AND u.begun_at > now() - make_interval(secs => r.w) AND t.status NOT IN ('FAILED', 'CANCELLED')
) x
"""
_BLOCKED = """
SELECT b.merchant_id, b.subject FROM blocks b
JOIN unnest($1::bigint[], $2::text[]) AS r (m, s) ON b.merchant_id = r.m AND b.subject = r.s
"""


async def forget_uses(session: WriteSession, older_than_s: int, limit: int = 1000) -> int:
    """Forget what no window reaches any more, in small batches; how many there were."""
    (row,) = await run(session, _FORGET, older_than_s, limit)
    return int(row.forgotten)


_FORGET = """
WITH old AS MATERIALIZED (
    SELECT merchant_id, subject, payment_id, attempt FROM limit_uses
    WHERE begun_at < now() - make_interval(secs => $1) ORDER BY begun_at LIMIT $2 FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM limit_uses u USING old o
    WHERE u.merchant_id = o.merchant_id AND u.subject = o.subject AND u.payment_id = o.payment_id
      AND u.attempt = o.attempt
    RETURNING 1
)
SELECT count(*) AS forgotten FROM forgotten
"""
