"""A dispute: a customer's bank takes a charge back, for the time being or for good."""

from __future__ import annotations

from enum import StrEnum


class DisputeState(StrEnum):
    """OPEN: the gateway withholds its amount. WON: it came back. LOST: it is gone."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"
