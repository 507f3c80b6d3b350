"""Whether an answer speaks of the peer, or of one delivery only."""

from __future__ import annotations


def blames_peer(status: int | None) -> bool:
    """Whether this answer speaks of the peer rather than of one delivery: none at all, 429 and 5xx."""
    return status is None or status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR


_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
