"""How many connections one process keeps, and which it gives up when there are more.

First those that never had an answer, the oldest before the others, then those that rest: nothing of them is being
answered, between two requests or while the body of one that was answered already still comes in. So whoever opens
connections and asks nothing loses them to whoever asks.
"""

from __future__ import annotations

import resource
from typing import Protocol

CONNECTIONS_MAX = 5000
"""Ten times the streams and twice the requests that one process has under way by default; some 40 MB of memory."""
KEPT_BACK = 128
"""File descriptors for everything else: connections to the database and to gateways, logs, the embedded server."""
FEWEST = 16


class Resting(Protocol):
    """A connection."""

    def give_up(self) -> None:
        """Close it: nothing is being answered on it."""
        ...


class Connections:
    """The connections of one server. ``most`` is how many there may be, but for those that are being answered."""

    def __init__(self, most: int = CONNECTIONS_MAX) -> None:
        self._most = most
        self._open = 0
        self._new: dict[Resting, None] = {}
        self._resting: dict[Resting, None] = {}

    def opened(self, connection: Resting) -> None:
        """There is one more; where there are too many, another makes room for it."""
        self._open += 1
        if self._open > self._most:
            self._make_room(connection)
        self._new[connection] = None

    def rests(self, connection: Resting) -> None:
        """It has had an answer, and nothing of it is being answered from now on."""
        self._resting[connection] = None

    def answers(self, connection: Resting) -> None:
        """A request of it is being answered."""
        self._new.pop(connection, None)
        self._resting.pop(connection, None)

    def closed(self, connection: Resting) -> None:
        """It is gone."""
        self._open -= 1
        self.answers(connection)

    def _make_room(self, newest: Resting) -> None:
        """All others may be answering: then the newest itself is given up."""
        kept = self._new or self._resting
        oldest = next(iter(kept), newest)
        kept.pop(oldest, None)
        oldest.give_up()


def affordable() -> int:
    """How many connections the system lets this process have; its soft limit is raised as far as that needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_MAX + KEPT_BACK
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    files = wanted if soft == resource.RLIM_INFINITY else soft
    return max(FEWEST, min(CONNECTIONS_MAX, files - KEPT_BACK))
