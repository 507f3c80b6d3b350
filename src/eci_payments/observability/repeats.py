"""Log lines that a flood would repeat: the first is written, the rest of its second is one line with their number.

What is not told yet when the process ends is lost here; the trail of refusals (`store.admin_events`) counts each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TOLD_AFTER_S = 1.0
MOST = 500
"""Kinds that are told apart in a second; the rest is counted together, so that a flood of them fills no memory."""
SEVERAL = "several"


class Repeats:
    """What was written within the last second, by kind. ``tell`` writes that a kind came so many times more."""

    def __init__(self, tell: Callable[[str, int], None], told_after_s: float = TOLD_AFTER_S) -> None:
        self._tell = tell
        self._told_after_s = told_after_s
        self._more: dict[str, int] = {}

    def is_first(self, kind: str) -> bool:
        """Whether this one is to be written; else it is counted. Needs a running event loop."""
        more = self._more
        if kind not in more and len(more) >= MOST:
            kind = SEVERAL
        if kind in more:
            more[kind] += 1
            return False
        more[kind] = int(kind is SEVERAL)
        asyncio.get_running_loop().call_later(self._told_after_s, self._end, kind)
        return kind is not SEVERAL

    def _end(self, kind: str) -> None:
        times = self._more.pop(kind)
        if times:
            self._tell(kind, times)
