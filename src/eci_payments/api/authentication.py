"""Who asks: API keys read from requests and looked up, with an answer that is never older than `STALE_S`.

A key that was looked up is remembered under its hash. After `FRESH_S` the next request that brings it has it looked up
again behind its back; after `STALE_S` it has to wait for that. So a revocation holds within `STALE_S` everywhere, and
a key in use costs no request a query. When the database is away longer than that, nobody is let in (503).
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from eci_payments.api.errors import WireError
from eci_payments.api.principal import Principal
from eci_payments.api.read_tokens import PREFIX
from eci_payments.api.scopes import takes_token
from eci_payments.domain.api_keys import PresentedKey, presented
from eci_payments.store.api_keys import find_key, has_any_key

if TYPE_CHECKING:
    from starlette.types import Scope

    from eci_payments.store.session import Database

FRESH_S, STALE_S = 2.0, 4.0
"""A revoked key is refused within 5 s on every replica: 4 s, and the time of a query."""
KNOWN_MAX = 10_000
"""Keys, and wrong ones, that are remembered; beyond it the oldest are looked up again."""
BEARER = "bearer"
_CHALLENGE = 'Bearer realm="eci-payments"'


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up said. ``why_not`` is for the trail, never for the caller."""

    principal: Principal | None
    asked_at: float
    ends_at: float | None = None
    why_not: str = ""


class KeyRing:
    """The keys of an installation, as one process knows them."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._found: dict[bytes, Found] = {}
        self._asking: dict[bytes, asyncio.Task[Found]] = {}

    def fresh(self, text: str) -> Found | None:
        """What was found a moment ago; None when it has to be looked up."""
        found = self._found.get(sha256(text.encode()).digest())
        if found is None:
            return None
        now = self._clock()
        is_fresh = now - found.asked_at < FRESH_S and (found.ends_at is None or now < found.ends_at)
        return found if is_fresh else None

    async def find(self, text: str) -> Found:
        """Whose key this text is, if anybody's. Raises what the database raises when it is away."""
        if (found := self.fresh(text)) is not None:
            return found
        found = self._remembered(digest := sha256(text.encode()).digest())
        if (key := presented(text)) is None:
            return Found(None, 0.0, why_not="malformed")
        return await self._fresh(digest, found, lambda: self._look_up(key))

    def knows(self, text: str) -> bool:
        """False when `find` would have to ask the database, about a key that nobody here has seen to work."""
        found = self._found.get(sha256(text.encode()).digest())
        return (found is not None and found.principal is not None) or self.fresh(text) is not None

    async def has_none(self) -> bool:
        """Whether there has never been a key at all, so that open mode may go on."""
        found = self._remembered(_ANY)
        if found is None or self._clock() - found.asked_at >= FRESH_S:
            found = await self._fresh(_ANY, found, self._look_for_any)
        return bool(found.why_not)

    def _remembered(self, digest: bytes) -> Found | None:
        found = self._found.get(digest)
        if found is None:
            return None
        now = self._clock()
        has_ended = found.ends_at is not None and now >= found.ends_at
        return None if has_ended or now - found.asked_at >= STALE_S else found

    async def _fresh(
        self, digest: bytes, known: Found | None, look_up: Callable[[], Awaitable[Found]]
    ) -> Found:
        """What is known, while it is looked up again; or what that says, when nothing is known."""
        task = self._asking.get(digest)
        if task is None:
            task = asyncio.ensure_future(self._ask(digest, look_up))
            self._asking[digest] = task
            task.add_done_callback(lambda done: self._asked(digest, done))
        return known if known is not None else await asyncio.shield(task)

    async def _ask(self, digest: bytes, look_up: Callable[[], Awaitable[Found]]) -> Found:
        found = await look_up()
        self._found.pop(digest, None)
        while len(self._found) >= KNOWN_MAX:
            del self._found[next(iter(self._found))]
        self._found[digest] = found
        return found

    def _asked(self, digest: bytes, done: asyncio.Task[Found]) -> None:
        self._asking.pop(digest, None)
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody did where it was asked behind the back

    async def _look_up(self, key: PresentedKey) -> Found:
        now = self._clock()
        async with self._database.read() as session:
            stored = await find_key(session, key.merchant_id, key.key_id)
        if stored is None or not hmac.compare_digest(stored.hash, key.hash):
            return Found(None, now, why_not="unknown")
        principal = Principal(
            stored.merchant_id,
            f"key:{stored.key_id}",
            stored.scopes,
            stored.key_id,
            rate_per_second=stored.rate_per_second,
        )
        if not stored.is_usable:
            return Found(None, now, why_not=f"{principal.actor} is revoked or expired")
        return Found(principal, now, None if stored.ends_in_s is None else now + stored.ends_in_s)

    async def _look_for_any(self) -> Found:
        now = self._clock()
        async with self._database.read() as session:
            return Found(None, now, why_not="" if await has_any_key(session) else "there is none")


_ANY = b"any key at all"
"""Under what it is remembered whether there are keys; no hash has this length."""


_KEY_HEADERS = frozenset({b"authorization", b"x-api-key"})


def given_key(scope: Scope) -> str | None:
    """The key in Authorization or X-Api-Key; an empty one is none. Raises WireError for two, or another scheme."""
    found: str | None = None
    for name, value in scope["headers"]:
        if name in _KEY_HEADERS:
            text = value.decode("latin-1").strip()
            if name == b"authorization":
                scheme, _, text = text.partition(" ")
                if scheme.lower() != BEARER:
                    raise unauthorized("The Authorization header must be Bearer and an API key.")
                text = text.strip()
            if not text:  # of a client that has no key, and an empty variable in its place
                continue
            if found is not None and found != text:
                raise unauthorized("Send one API key, once.")
            found = text
    return found


def given_token(scope: Scope) -> str | None:
    """The read token in the query of a request that takes one there. Raises WireError for anything else there."""
    if b"token=" not in scope["query_string"] or not takes_token(scope["path"]):
        return None
    query = scope["query_string"].decode("latin-1")
    found = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "token"]
    if any(not text.startswith(PREFIX) for text in found):
        raise unauthorized(
            "Only a read token may stand in an address: addresses are kept in histories and logs."
        )
    if len(set(found)) > 1:
        raise unauthorized("Send one read token, once.")
    return found[0] if found else None


def unauthorized(detail: str) -> WireError:
    """401, with how to do better (RFC 6750, section 3)."""
    return WireError("unauthorized", detail, headers={"WWW-Authenticate": _CHALLENGE})
