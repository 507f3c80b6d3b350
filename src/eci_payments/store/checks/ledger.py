"""The ledger: known accounts and movements, each entry with its cause, and payments that say what the ledger says."""

from __future__ import annotations

from eci_payments.domain.ids import MerchantId
from eci_payments.domain.ledger import (
    COD_IN_TRANSIT,
    EXTERNAL,
    UNAPPLIED,
    Movement,
    gateway_account,
    payable_account,
    posting,
)
from eci_payments.store.checks.check import RangeCheck, in_range

_HOLDER, _ANY = "holder", MerchantId(0)
_PAYABLE = "format('merchant:%s:payable', e.merchant_id)"
_HOLDS = f"^({gateway_account('[^:]+')}|{EXTERNAL}|{COD_IN_TRANSIT})$"


def _is(column: str, account: str) -> str:
    if account == _HOLDER:
        return f"e.{column} ~ '{_HOLDS}'"
    return f"e.{column} = " + (_PAYABLE if account == payable_account(_ANY) else f"'{account}'")


def _known(movement: Movement) -> str:
    fit = posting(movement, _ANY, _HOLDER, 1, "INR")
    sides = _is("debit_account", fit.debit_account), _is("credit_account", fit.credit_account)
    return f"(e.movement = '{movement}' AND {sides[0]} AND {sides[1]})"


POSTINGS = RangeCheck(
    "ledger_account",
    f"""
SELECT format('ledger entry %s of payment %s', e.entry_id, e.payment_id) AS place,
       format('%s of %s %s debits %s and credits %s, which is no posting of ours',
              e.movement, e.amount_minor, e.currency, e.debit_account, e.credit_account) AS what
FROM ledger_entries e
WHERE {in_range("e")} AND NOT ({" OR ".join(_known(movement) for movement in Movement)})
""",
)

_MOVED = "coalesce(nullif(o.late_amount_minor, 0), o.amount_minor)"
"""What an operation moved: what was asked for, or what the gateway said when it came late."""

CAUSES = RangeCheck(
    "ledger_cause",
    f"""
SELECT format('ledger entry %s of payment %s', e.entry_id, e.payment_id) AS place,
       CASE WHEN e.operation_id IS NULL
            THEN format('is in %s, the payment in %s', e.currency, p.currency)
            WHEN o.operation_id IS NULL
            THEN format('names operation %s, which that payment does not have', e.operation_id)
            ELSE format('says %s %s, operation %s says %s %s', e.amount_minor, e.currency,
                        o.operation_id, {_MOVED}, o.currency) END AS what
FROM ledger_entries e
LEFT JOIN operations o
  ON o.merchant_id = e.merchant_id AND o.operation_id = e.operation_id AND o.payment_id = e.payment_id
JOIN payments p ON p.merchant_id = e.merchant_id AND p.payment_id = e.payment_id
WHERE {in_range("e")}
  AND CASE WHEN e.operation_id IS NULL THEN e.currency <> p.currency
           ELSE o.operation_id IS NULL OR o.currency <> e.currency OR {_MOVED} <> e.amount_minor END
""",
)


def _net(account: str) -> str:
    return (
        f"sum(CASE WHEN e.credit_account = {account} THEN e.amount_minor"
        f" WHEN e.debit_account = {account} THEN -e.amount_minor ELSE 0 END)"
    )


def _grown(name: str) -> str:
    return f"{_amount('after', name)} - {_amount('before', name)}"


def _amount(side: str, name: str) -> str:
    """An amount in the trail; what somebody has put there that is no number counts as nothing, and so is found."""
    value = f"t.{side} -> 'amount_{name}_minor'"
    return f"CASE jsonb_typeof({value}) WHEN 'number' THEN ({value})::numeric ELSE 0 END"


KEPT = "(p.amount_captured_minor - p.amount_refunded_minor - p.amount_charged_back_minor)"
"""What a payment says that the merchant has of it."""

VERSIONS = RangeCheck(
    "ledger_version",
    f"""
WITH booked AS (
    SELECT e.payment_id, e.version, {_net(_PAYABLE)} AS payable, {_net(f"'{UNAPPLIED}'")} AS unapplied
    FROM ledger_entries e WHERE {in_range("e")} GROUP BY e.payment_id, e.version
), moved AS (
    SELECT t.payment_id, t.version,
           sum(({_grown("captured")}) - ({_grown("refunded")}) - ({_grown("charged_back")})) AS payable,
           sum({_grown("unapplied")}) AS unapplied
    FROM transactions t WHERE {in_range("t")} GROUP BY t.payment_id, t.version
)
SELECT format('payment %s, version %s', payment_id, version) AS place,
       format('the audit trail moves %s payable and %s unapplied, the ledger %s and %s', coalesce(m.payable, 0),
              coalesce(m.unapplied, 0), coalesce(b.payable, 0), coalesce(b.unapplied, 0)) AS what
FROM moved m FULL JOIN booked b USING (payment_id, version)
WHERE coalesce(m.payable, 0) <> coalesce(b.payable, 0) OR coalesce(m.unapplied, 0) <> coalesce(b.unapplied, 0)
""",
)

AMOUNTS = RangeCheck(
    "ledger_amount",
    f"""
SELECT format('payment %s', p.payment_id) AS place,
       format('has %s %s captured less refunded and %s unapplied, the ledger %s and %s%s',
              {KEPT}, p.currency, p.amount_unapplied_minor,
              coalesce(b.payable, 0), coalesce(b.unapplied, 0), ', and money in ' || b.others) AS what
FROM payments p
CROSS JOIN LATERAL (
    SELECT sum(c.payable) FILTER (WHERE c.currency = p.currency) AS payable, sum(c.unapplied) AS unapplied,
           string_agg(c.currency, ', ') FILTER (WHERE c.currency <> p.currency AND c.payable <> 0) AS others
    FROM (
        SELECT e.currency, {_net(_PAYABLE)} AS payable, {_net(f"'{UNAPPLIED}'")} AS unapplied
        FROM ledger_entries e
        WHERE e.merchant_id = p.merchant_id AND e.payment_id = p.payment_id
        GROUP BY e.currency
    ) c
) b
WHERE {in_range("p")}
  AND ({KEPT} <> coalesce(b.payable, 0)
       OR p.amount_unapplied_minor <> coalesce(b.unapplied, 0) OR b.others IS NOT NULL)
""",
)

CHECKS = (POSTINGS, CAUSES, VERSIONS, AMOUNTS)
