"""W3C Trace Context (Recommendation, 2021): read from headers, continued, begun anew.

Pure but for new ids, and for the share of new traces that are sampled.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from eci_payments.domain.card_numbers import contains_card_number
from eci_payments.domain.quick import quick

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII
)
_SAMPLED = 0x01
"""The one flag that version 00 defines; the others are not passed on."""

_MEMBER = re.compile(
    r"(?:[a-z][_0-9a-z*/-]{0,255}|[a-z0-9][_0-9a-z*/-]{0,240}@[a-z][_0-9a-z*/-]{0,13})"  # key, or tenant@system
    r"=[ -+\--<>-~]{0,255}[!-+\--<>-~]",
    re.ASCII,
)
_MAX_MEMBERS = 32
_LONGEST_TRACESTATE = 512
"""What must be passed on at least (3.3.1.5); what is longer is dropped whole, which the standard allows."""


@quick
@dataclass(frozen=True, slots=True)
class TraceContext:
    """Where we are in a trace: 16 and 8 bytes as lower-case hex, never all zero, and what others add to it."""

    trace_id: str
    span_id: str
    sampled: bool = True
    tracestate: str = ""

    @property
    def traceparent(self) -> str:
        """The header that hands this on, and the form in which it is stored with an event."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    def child(self) -> TraceContext:
        """The next span of the same trace."""
        return _drawn(lambda: replace(self, span_id=secrets.token_hex(8)))


def begin_trace() -> TraceContext:
    """A new trace, sampled or not as `Sampling` has it."""
    begun = _drawn(_new)
    return begun if Sampling.keeps(begun.trace_id) else replace(begun, sampled=False)


def _new() -> TraceContext:
    drawn = secrets.token_hex(24)
    return TraceContext(drawn[:32], drawn[32:])


class Sampling:
    """Which of the traces that begin here are sampled; those that others began are as they decided (3.2.2.5.1).

    One choice per process. By the trace id alone, as OpenTelemetry's TraceIdRatioBased, so that whoever samples by the
    same ratio chooses the same traces.
    """

    below: ClassVar[int] = 2**64

    @classmethod
    def choose(cls, ratio: float) -> None:
        """From now on this share of them: 0 none, 1 all."""
        cls.below = round(ratio * 2**64)

    @classmethod
    def keeps(cls, trace_id: str) -> bool:
        """Whether a trace of ours with this id is sampled."""
        return int(trace_id[16:], 16) < cls.below


def parse_traceparent(traceparent: str | None, tracestate: str | None = None) -> TraceContext | None:
    """The context that the headers name, or None where traceparent is absent, malformed, or hides a card number.

    A bad tracestate is dropped and never spoils a good traceparent. Later versions are read as far as 00 goes (4.3).
    """
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if not found or (found[1] == "00" and found[5]) or contains_card_number(f"{found[2]} . {found[3]}"):
        return None
    sampled = bool(int(found[4], 16) & _SAMPLED)
    return TraceContext(found[2], found[3], sampled, parse_tracestate(tracestate))


def parse_tracestate(tracestate: str | None) -> str:
    """The header as it may be passed on; empty where it is malformed."""
    text = tracestate or ""
    if len(text) > _LONGEST_TRACESTATE:
        return ""
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    good = len(keys) == len(members) <= _MAX_MEMBERS and all(map(_MEMBER.fullmatch, members))
    return ",".join(members) if good and not contains_card_number(text) else ""


def _drawn(draw: Callable[[], TraceContext]) -> TraceContext:
    """Drawn again where chance makes an id zero, or something that logs would mask as a card number."""
    while True:
        drawn = draw()
        if (
            drawn.span_id.strip("0")
            and drawn.trace_id.strip("0")
            and not contains_card_number(drawn.traceparent)
        ):
            return drawn
