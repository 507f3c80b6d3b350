"""One call to one peer, over connections that live as long as the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import aiohttp
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eci_payments.delivery.peers import PeerRequest

CONNECT_TIMEOUT_S = 3.0
"""A peer beside us accepts a connection in milliseconds; one lost packet costs 1 s, two cost 3 s."""
KEEPALIVE_S = 4.0
"""We close an idle connection before the peer does: servers commonly wait 5 s, and a call into one that is just being
closed is lost."""
MAX_ANSWER_BYTES = 64 * 1024
"""A peer's answer is read only so that its connection can be used again; a longer one costs the connection."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer said. ``status`` is None when it said nothing, and ``error`` then tells why."""

    status: int | None
    retry_after: str | None = None
    error: str | None = None


class Sender(Protocol):
    """Sends one request. Whatever happens on the way is an answer, never an exception."""

    async def send(self, request: PeerRequest, headers: Mapping[str, str]) -> Answer:
        """Send it once: no redirect is followed, nothing is repeated."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


class HttpSender:
    """Over HTTP. ``timeout_s`` bounds the whole call: connecting, sending, and reading the answer.

    Certificates are verified. Proxies and cookies of the environment are not used. How many calls run at once is
    bounded by the callers, so that no call waits for another one's connection.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s), sock_read=timeout_s
        )
        self._client: aiohttp.ClientSession | None = None

    async def send(self, request: PeerRequest, headers: Mapping[str, str]) -> Answer:
        """Send it once. The path goes out as it was encoded, and the answer's body is never kept."""
        if self._client is None:
            self._client = self._connected()
        try:
            async with self._client.request(
                request.verb,
                URL(request.url, encoded=True),
                data=request.body,
                headers=headers,
                allow_redirects=False,
            ) as response:
                await _read(response)
                return Answer(response.status, response.headers.get("Retry-After"))
        except TimeoutError:
            return Answer(None, error=f"no answer within {self._timeout.total:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(None, error=f"{type(error).__name__}: {error}")

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.close()

    def _connected(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )


async def _read(response: aiohttp.ClientResponse) -> None:
    left = MAX_ANSWER_BYTES
    while left > 0 and (piece := await response.content.read(left)):
        left -= len(piece)
    if left <= 0:
        response.close()
