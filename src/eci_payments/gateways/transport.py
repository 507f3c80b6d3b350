"""HTTP to a gateway, told apart by what the transport knows: answered, certainly not sent, or unknown.

Only a connection that was never made counts as not sent. A time-out while writing, a line cut while reading and an
answer that is no JSON are unknown: the gateway may have done it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from eci_payments.gateways.contract import NotSent, Unknown
from eci_payments.gateways.guard import MOST_CALLS
from eci_payments.observability.spans import client_call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
MAX_CONNECTIONS = 2 * MOST_CALLS
"""Never the bound: each account has connections of its own, and its guard lets fewer calls through."""
MAX_ANSWER_BYTES = 1_000_000
"""A gateway's answer is a few kilobytes; one that is larger is not read."""


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
            headers=dict(headers),
            auth=auth,
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s / 2, 3.0)),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
            follow_redirects=False,
            trust_env=False,
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
                response = await self._client.send(request)
            except httpx.HTTPError as error:
                call.fail(type(error).__name__)
                return _unanswered(error)
            call.answered(response.status_code)
        return _reply(response)

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()


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


def _reply(response: httpx.Response) -> Reply | Unknown:
    if len(response.content) > MAX_ANSWER_BYTES:
        return Unknown(f"an answer of {len(response.content)} bytes")
    try:
        body = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        return Unknown(f"status {response.status_code} without a JSON object")
    return Reply(response.status_code, body)
