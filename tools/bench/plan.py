"""What the measured numbers say about larger machines: plain arithmetic, every factor named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CORES = 16
"""Of the primary that is reckoned with: a common size."""
USED = 0.7
"""The share of a processor, or of a disk's write rate, that is planned with; the rest is for peaks and maintenance."""
LOG_BYTES_PER_SECOND = 500e6
"""What a data-centre NVMe writes in sequence with room to spare."""
VACUUM_LIMIT_BYTES = 4e12
"""Beyond some terabytes in one database, vacuum, base backups and restores take most of a day."""
EVERY_SECOND = 100
"""Charges of a large shop, on average over the day."""
SECONDS_PER_DAY = 86_400


def lines(found: Mapping[str, Any]) -> list[str]:
    """The arithmetic, from the profile and the loaded databases."""
    profile = found["profile"]
    postgres_us, serve_us = (profile["cpu_us_per_charge"][name] for name in ("postgres", "serve"))
    log_bytes = profile["wal_bytes_per_charge"]
    by_cores = CORES * USED * 1e6 / postgres_us
    by_log = LOG_BYTES_PER_SECOND * USED / log_bytes
    carried = min(by_cores, by_log)
    api_cores = carried * serve_us / 1e6
    rows = [
        (
            "charges/s by processor",
            _k(by_cores),
            f"{CORES} cores by {USED} ÷ {postgres_us:,} µs of its time a charge",
        ),
        (
            "charges/s by log",
            _k(by_log),
            f"{LOG_BYTES_PER_SECOND / 1e6:.0f} MB/s by {USED} ÷ {log_bytes:,} bytes a charge",
        ),
        ("so one primary carries", f"{_k(carried)} charges/s", "the smaller of both"),
        ("API cores for that", f"{api_cores:.0f}", f"{_k(carried)} by {serve_us:,} µs of `serve` a charge"),
    ]
    if "large" in found:
        rows += _growth(found["large"]["notes"]["large"])
    head = ["| what | reckoned | from |", "| --- | --- | --- |"]
    return [*head, *(f"| {what} | {number} | {source} |" for what, number, source in rows)]


def _growth(facts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    each = facts["gigabytes"] * 1e9 / facts["payments_at_the_end"]
    payments = VACUUM_LIMIT_BYTES / each
    days = payments / EVERY_SECOND / SECONDS_PER_DAY
    return [
        (
            "bytes of a payment, indexes included",
            f"{each:,.0f}",
            f"{facts['gigabytes']} GB ÷ {facts['payments_at_the_end']:,} payments",
        ),
        (
            f"payments in {VACUUM_LIMIT_BYTES / 1e12:.0f} TB",
            f"{payments / 1e6:,.0f} million",
            f"at {EVERY_SECOND} charges/s, day and night, {days:,.0f} days",
        ),
    ]


def _k(value: float) -> str:
    return f"{value / 1000:,.1f} thousand" if value >= 10_000 else f"{value:,.0f}"  # noqa: PLR2004 - easier to read
