"""The body of a request: read within its limit, and only when it says that it is JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eci_payments.api.errors import WireError
from eci_payments.api.json_text import decoded

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

MAX_BODY_BYTES = 65536
"""64 KiB: sixteen times the largest body that means something to us."""
_JSON = re.compile(
    rb'application/json(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?[ \t]*', re.ASCII | re.IGNORECASE
)
ACCEPTED = {"Accept": "application/json"}


class ClientGone(Exception):
    """The caller hung up before the request was whole: there is nobody to answer."""


async def read_document(scope: Scope, receive: Receive, *, optional: bool) -> object:
    """The document that was sent; an empty object for an empty body where the body is ``optional``.

    Raises WireError payload_too_large, unsupported_media_type or malformed_json.
    """
    sent = _Said.by(scope)
    body = await _within(sent, receive, MAX_BODY_BYTES)
    if not body and optional:
        return {}
    sent.refuse_other_media()
    return decoded(body)


async def read_raw(scope: Scope, receive: Receive, most: int) -> bytes:
    """The bytes that were sent, whatever they are. Raises WireError payload_too_large."""
    return await _within(_Said.by(scope), receive, most)


async def _within(sent: _Said, receive: Receive, most: int) -> bytes:
    if sent.length > most:
        raise _too_large(most)
    return await _read(receive, most)


async def _read(receive: Receive, most: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        if len(body) > most:
            break
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientGone
    if len(body) > most:
        raise _too_large(most)
    return body


def _too_large(most: int) -> WireError:
    return WireError("payload_too_large", f"The body has more than {most} bytes.")


class _Said:
    """What the headers say of the body."""

    def __init__(self) -> None:
        self.length = 0
        self.media: list[bytes] = []
        self.encodings: list[bytes] = []

    @classmethod
    def by(cls, scope: Scope) -> _Said:
        said = cls()
        for name, value in scope["headers"]:
            if name == b"content-type":
                said.media.append(value)
            elif name == b"content-length" and value.isdigit():
                said.length = int(value[:10])
            elif name == b"content-encoding":
                said.encodings.append(value)
        return said

    def refuse_other_media(self) -> None:
        if len(self.media) != 1 or not _JSON.fullmatch(self.media[0]):
            raise WireError(
                "unsupported_media_type",
                "Content-Type must be application/json, in UTF-8.",
                headers=ACCEPTED,
            )
        if any(encoding.strip().lower() not in {b"", b"identity"} for encoding in self.encodings):
            raise WireError(
                "unsupported_media_type",
                "Content-Encoding is not taken: send the body as it is.",
                headers=ACCEPTED,
            )
