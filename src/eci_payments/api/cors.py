"""Which pages of other origins may read what: those that PAGE_ORIGINS names, and only what read tokens open.

Without the setting there is no CORS header anywhere, so that no browser lets another origin read anything. Nothing is
ever sent with cookies, and no preflight is answered: a page's requests are simple ones, with their token in the query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.api.scopes import takes_token

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import Scope

_EXPOSED = b"Retry-After, X-Correlation-Id"


class Cors:
    """``origins`` as browsers write them, such as ``https://shop.example``."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origin.lower().encode() for origin in origins)

    def headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """What the answer to this request carries, whatever the answer is."""
        if not self._origins or not takes_token(scope["path"]):
            return []
        origin = next((value for name, value in scope["headers"] if name == b"origin"), b"")
        vary = (b"vary", b"Origin")
        if origin not in self._origins:
            return [vary]
        return [
            vary,
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
        ]
