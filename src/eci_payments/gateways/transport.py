"""HTTP to a gateway, told apart by what the transport knows: answered, certainly not sent, or unknown.

Only a connection that was never made counts as not sent: no name, nobody who listens, no TLS. A time-out while writing,
a line cut while reading, an answer that is no JSON, that points elsewhere or that does not end are unknown: the gateway
may have done it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from eci_payments.gateways.contract import NotSent, Unknown
from eci_payments.gateways.guard import MOST_CALLS
from eci_payments.gateways.objects import json_object
from eci_payments.observability.spans import client_call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ssl import SSLContext

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
MAX_CONNECTIONS = 2 * MOST_CALLS
"""Never the bound: each account has connections of its own, and its guard lets fewer calls through."""
MAX_ANSWER_BYTES = 4_000_000
"""A gateway's answer is a few kilobytes, a page of a hundred events a million; what is larger is not read on."""
REDIRECTS = range(300, 400)
_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a JSON object in it."""

    status: int
    body: dict[str, Any]


class Transport:
    """One gateway account's connections, kept for the life of the process. ``timeout_s`` bounds each step of a call."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        auth: tuple[str, str] | None = None,
        timeout_s: float,
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            headers={"Accept-Encoding": "identity"} | dict(headers),
            auth=auth,
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s / 2, 3.0)),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
            follow_redirects=False,
            trust_env=False,
            verify=_trusted(),
        )

    async def send(
        self,
        verb: str,
        path: str,
        *,
        form: Sequence[tuple[str, str]] | None = None,
        json: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply | NotSent | Unknown:
        """One request. Never raises for what happens on the way."""
        content, kind = _content(form, json)
        request = self._client.build_request(
            verb, path, content=content, params=query, headers=dict(headers or {}) | kind
        )
        with client_call(verb, str(request.url)) as call:
            try:
                response = await self._client.send(request, stream=True)
                content = await _bounded(response)
            except httpx.HTTPError as error:
                call.fail(type(error).__name__)
                return _unanswered(error)
            call.answered(response.status_code)
        return _reply(response.status_code, content)

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()


@cache
def _trusted() -> SSLContext:
    """Whose certificates are believed. Reading them takes 40 ms: once, and not for every account anew."""
    return httpx.create_ssl_context(trust_env=False)


def is_reference(value: object) -> bool:
    """Whether this can be a gateway's id of something: it will stand in paths, and is asked about for years."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def _unanswered(error: httpx.HTTPError) -> NotSent | Unknown:
    if isinstance(error, _NEVER_LEFT):
        return NotSent(f"no connection: {type(error).__name__}")
    return Unknown(f"the line failed: {type(error).__name__}")


def _content(form: Sequence[tuple[str, str]] | None, json: object) -> tuple[bytes | None, dict[str, str]]:
    if form is not None:
        return httpx.QueryParams(list(form)).__str__().encode(), {
            "Content-Type": "application/x-www-form-urlencoded"
        }
    if json is not None:
        return msgspec.json.encode(json), {"Content-Type": "application/json"}
    return None, {}


async def _bounded(response: httpx.Response) -> bytes | None:
    """The whole body; None for one that is larger than any answer of a gateway, of which no more is read."""
    parts, size = [], 0
    try:
        async for part in response.aiter_bytes():
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                return None
    finally:
        await response.aclose()
    return b"".join(parts)


def _reply(status: int, content: bytes | None) -> Reply | Unknown:
    if content is None:
        return Unknown(f"status {status} with more than {MAX_ANSWER_BYTES} bytes")
    if status in REDIRECTS:
        return Unknown(f"status {status}: it points elsewhere, where nobody is asked")
    body = json_object(content)
    if body is None:
        return Unknown(f"status {status} without a JSON object")
    return Reply(status, body)
