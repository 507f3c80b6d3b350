"""What is remembered for the trail until it is written, a moment later, off the way of every request.

Refusals that are alike are one entry with a number of times, and there is a bound to how many different ones are
told apart in a moment, of one caller and of all: a flood of them, each for another path, fills neither memory nor the
database, and hides who sends it no more than where it comes from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from eci_payments.store.admin_events import AdminEvent, Occurrence

SUBJECTS_MAX = 20
"""Different things that one caller is refused within half a second; the rest of theirs is one entry with its number."""
TOLD_APART_MAX = 500
"""Different refusals within half a second; the rest is counted together."""
KEPT_MAX = 20_000
"""Entries that wait for a database that is away."""


class Trail:
    """The events of one process that are not written yet."""

    def __init__(self) -> None:
        self._events: dict[AdminEvent, Occurrence] = {}
        self._subjects: Counter[tuple[int, str, str | None]] = Counter()

    def __len__(self) -> int:
        return len(self._events)

    def note_act(self, event: AdminEvent, correlation_id: str | None) -> None:
        """Remember what somebody with power did."""
        self._note(event, correlation_id, KEPT_MAX)

    def note_refusal(self, event: AdminEvent, correlation_id: str | None) -> None:
        """Remember that somebody was turned away."""
        if event not in self._events and (whose := self._whose(event)) != event:
            event, correlation_id = whose, None
        self._note(event, correlation_id, KEPT_MAX + 10)

    def taken(self) -> dict[AdminEvent, Occurrence]:
        """All that is remembered; it is forgotten here."""
        events, self._events = self._events, {}
        self._subjects.clear()
        return events

    def put_back(self, events: Mapping[AdminEvent, Occurrence]) -> None:
        """It could not be written after all."""
        for event, seen in events.items():
            known = self._events.get(event)
            if known is None:
                self._events[event] = seen
            else:
                known.times += seen.times

    def _whose(self, event: AdminEvent) -> AdminEvent:
        """The event itself while it can be told apart; else what it has in common with others."""
        caller = (event.merchant_id, event.actor, event.origin)
        if self._subjects[caller] >= SUBJECTS_MAX:
            event = replace(event, action="several", subject="several")
        if len(self._events) >= TOLD_APART_MAX and event not in self._events:
            return replace(event, actor="several", action="several", subject="several", origin=None)
        self._subjects[caller] += 1
        return event

    def _note(self, event: AdminEvent, correlation_id: str | None, most: int) -> None:
        seen = self._events.get(event)
        if seen is not None:
            seen.times += 1
        elif len(self._events) < most:
            self._events[event] = Occurrence(correlation_id)
