"""What a verification found: each broken thing by name, as many as are asked for, and how much was looked at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken thing: which check says so, where it is, and what is wrong with it."""

    check: str
    where: str
    what: str


@dataclass(slots=True)
class Report:
    """``findings`` holds the first ``limit``, ``broken`` counts all; ``counted`` is what was looked at, by name.

    ``balances`` are the ledger's accounts by (account, currency), in minor units: debits less credits.
    """

    limit: int
    findings: list[Finding] = field(default_factory=list)
    broken: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    balances: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Whether nothing is broken."""
        return not self.broken

    def add(self, check: str, where: str, what: str) -> None:
        """Note one broken thing."""
        self.broken += 1
        if len(self.findings) < self.limit:
            self.findings.append(Finding(check, where, what))
