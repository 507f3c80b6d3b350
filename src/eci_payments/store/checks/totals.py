"""The totals of one merchant: every account together is zero, and what is payable is what the payments have kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eci_payments.domain.ids import MerchantId
from eci_payments.domain.ledger import UNAPPLIED, payable_account
from eci_payments.store.checks.check import in_range
from eci_payments.store.checks.ledger import KEPT
from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.checks.findings import Report
    from eci_payments.store.session import ReadSession

CHECK = "ledger_total"


@dataclass(slots=True)
class Totals:
    """Adds up range by range; amounts in minor units. Credits count negative."""

    balances: Counter[tuple[str, str]] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    unapplied: int = 0

    async def add(self, session: ReadSession, report: Report, merchant_id: int, low: int, high: int) -> None:
        """Add what belongs to the payments of one range."""
        for row in await run(session, _MOVED, merchant_id, low, high):
            self.balances[row.debit_account, row.currency] += int(row.amount)
            self.balances[row.credit_account, row.currency] -= int(row.amount)
        for row in await run(session, _KEPT, merchant_id, low, high):
            self.kept[row.currency] += int(row.kept)
            self.unapplied += int(row.unapplied)
        (counted,) = await run(session, _COUNTED, merchant_id, low, high)
        report.counted.update({name: counted[name] for name in _COUNTED_NAMES})

    def compare(self, report: Report, merchant_id: int) -> None:
        """Hold the accounts against each other and against the payments."""
        payable = payable_account(MerchantId(merchant_id))
        for currency in sorted({currency for _, currency in self.balances} | set(self.kept)):
            total = sum(amount for (_, code), amount in self.balances.items() if code == currency)
            if total:
                report.add(
                    CHECK, f"merchant {merchant_id}, {currency}", f"all accounts together are {total}, not 0"
                )
            booked = -self.balances[payable, currency]
            if booked != self.kept[currency]:
                report.add(
                    CHECK,
                    f"merchant {merchant_id}, {currency}",
                    f"{payable} is {booked}, the payments have kept {self.kept[currency]}",
                )
        unapplied = -sum(amount for (account, _), amount in self.balances.items() if account == UNAPPLIED)
        if unapplied != self.unapplied:
            where = f"merchant {merchant_id}"
            report.add(CHECK, where, f"{UNAPPLIED} is {unapplied}, the payments say {self.unapplied}")
        report.balances.update(self.balances)


_MOVED = f"""
SELECT e.currency, e.debit_account, e.credit_account, sum(e.amount_minor)::text AS amount
FROM ledger_entries e WHERE {in_range("e")} GROUP BY e.currency, e.debit_account, e.credit_account
"""
_KEPT = f"""
SELECT p.currency, sum({KEPT})::text AS kept,
       sum(p.amount_unapplied_minor)::text AS unapplied
FROM payments p WHERE {in_range("p")} GROUP BY p.currency
"""
_COUNTED_NAMES = {
    "payments": "payments",
    "operations": "operations",
    "refunds": "refunds",
    "disputes": "disputes",
    "audit entries": "transactions",
    "ledger entries": "ledger_entries",
    "events": "events",
}
_COUNTED = "SELECT " + ", ".join(
    f'(SELECT count(*) FROM {table} t WHERE {in_range("t")}) AS "{name}"'
    for name, table in _COUNTED_NAMES.items()
)
