"""Faults on demand: named by a request's header, or drawn by a seeded rate."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum

from eci_payments.gateways.adapters.simulator.notices import NoticeFault

HEADER = "x-sandbox-fault"
MAX_KEYS = 10_000
"""Keys whose attempts are counted; the oldest is forgotten first."""


class LineFault(StrEnum):
    """What happens to a request and its answer."""

    REFUSE = "refuse"
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    CUT_AFTER = "cut_after"
    ERROR_THEN_SUCCESS = "error_then_success"
    ANSWER_TWICE = "answer_twice"


Fault = LineFault | NoticeFault
FAULTS: dict[str, Fault] = {
    **{fault.value: fault for fault in LineFault},
    **{fault.value: fault for fault in NoticeFault},
}


class UnknownFault(ValueError):
    """A fault that is none; the message lists the ones there are."""

    def __init__(self) -> None:
        super().__init__(f"faults are {', '.join(FAULTS)}")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The faults of one request."""

    line: LineFault | None = None
    notice: NoticeFault | None = None


@dataclass(slots=True)
class FaultPlan:
    """Draws faults: the same seed, key and attempt always meet the same fate. ``rates`` are shares of all requests."""

    seed: int = 0
    rates: dict[Fault, float] = field(default_factory=dict)
    attempts: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def set(self, seed: int, rates: dict[str, float]) -> None:
        """Draw differently from now on. Raises UnknownFault, and ValueError for shares that are none."""
        if not set(rates) <= set(FAULTS):
            raise UnknownFault
        if any(not 0 <= rate <= 1 for rate in rates.values()) or sum(rates.values()) > 1:
            raise ValueError("rates are shares of all requests, 1 together at most")
        self.seed, self.rates = seed, {FAULTS[name]: rate for name, rate in rates.items()}

    def attempt(self, key: str) -> int:
        """Which attempt with this key this is: 1 for the first."""
        number = self.attempts.pop(key, 0) + 1
        self.attempts[key] = number
        if len(self.attempts) > MAX_KEYS:
            self.attempts.popitem(last=False)
        return number

    def choose(self, header: str | None, key: str, attempt: int) -> Chosen:
        """The faults that the header names, or that are drawn. Raises UnknownFault."""
        return _named(header) if header else _chosen([self._drawn(key, attempt)])

    def _drawn(self, key: str, attempt: int) -> Fault | None:
        digest = hashlib.sha256(f"{self.seed} {key} {attempt}".encode()).digest()
        draw = int.from_bytes(digest[:7]) / 2**56
        for fault, rate in self.rates.items():
            if draw < rate:
                return fault
            draw -= rate
        return None


def _named(header: str) -> Chosen:
    names = [name.strip() for name in header.split(",")]
    if not set(names) <= set(FAULTS):
        raise UnknownFault
    return _chosen([FAULTS[name] for name in names])


def _chosen(faults: list[Fault | None]) -> Chosen:
    line = next((fault for fault in faults if isinstance(fault, LineFault)), None)
    notice = next((fault for fault in faults if isinstance(fault, NoticeFault)), None)
    return Chosen(line, notice)
