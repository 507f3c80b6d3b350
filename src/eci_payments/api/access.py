"""Who may come in and how often, and what is written of those who came in vain: one object per process.

Open mode, in which nobody needs a key, is for a service that only its own machine reaches and that has never had a
key. It asks for a loopback name in Host, so that no web page can reach it under a name of its own (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING

from eci_payments.api.authentication import KeyRing, given_key, given_token, unauthorized
from eci_payments.api.client_address import Network, client_address, is_loopback, limited_as
from eci_payments.api.errors import WireError
from eci_payments.api.limits import WINDOW_S, Limits, Subject, Verdict
from eci_payments.api.principal import OPEN, Principal
from eci_payments.api.read_tokens import PREFIX, ReadTokens
from eci_payments.api.scopes import BY_TOKEN, NEEDED, operation, page_scope
from eci_payments.api.trail import Trail
from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.ids import SINGLE_SHOP, MerchantId
from eci_payments.store.admin_events import record
from eci_payments.store.api_keys import note_used
from eci_payments.store.rate_windows import add_used, forget_old

if TYPE_CHECKING:
    from starlette.types import Scope

    from eci_payments.api.read_tokens import ReadToken
    from eci_payments.domain.api_keys import Scope as KeyScope
    from eci_payments.store.admin_events import AdminEvent, Occurrence
    from eci_payments.store.rate_windows import Place
    from eci_payments.store.session import Database

FLUSH_S = 0.5
"""How late the trail and the sums of the rate limits are written; part of the limits' stated error."""
LOOK_UPS_PER_S = 100
"""Keys from one address that a process has not seen to work, over 10 s. Each costs the database a query, so made-up
ones are held to a tenth of an address's requests; behind one proxy, a replica that has just started meets fewer."""
USED_NOTED_S = 30.0
"""How exact a key's last use is."""
PRINCIPAL, VERDICT, RUNNING = "eci.principal", "eci.verdict", "eci.running"
"""Where a request's scope holds who asks, what the rate limit said, and as whose it counts while it runs."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """How an installation is guarded. Rates are requests per second, 0 for no limit."""

    open_mode: bool = False
    admin_port: int | None = None
    trusted_proxies: tuple[Network, ...] = ()
    rate_per_key: int = 0
    rate_per_address: int = 0
    rate_of_webhooks: int = 0
    concurrent: int = 2000


@dataclass(slots=True)
class Access:
    """The door of one process."""

    database: Database
    rules: AccessRules
    tokens: ReadTokens = field(default_factory=ReadTokens.of_nobody_else)
    keys: KeyRing = field(init=False)
    limits: Limits = field(default_factory=Limits)
    trail: Trail = field(default_factory=Trail)
    _running: dict[tuple[MerchantId, str], int] = field(default_factory=dict)
    _running_all: int = 0
    _used: set[tuple[int, str]] = field(default_factory=set)
    _noted_at: float = field(default_factory=monotonic)
    _flushing: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.keys = KeyRing(self.database)

    def origin(self, scope: Scope) -> str | None:
        """The client's address."""
        return client_address(scope, self.rules.trusted_proxies)

    async def admit(self, scope: Scope) -> Principal:
        """Who asks. Raises WireError unauthorized, forbidden or rate_limited.

        A key that is remembered meets its own limit first: one that floods then uses up no more of its address's than
        it may, and other keys of that address are not refused for it.
        """
        text, refused = _given(scope)
        known = self._remembered(text)
        if known is not None:
            self._limit_key(known, scope)
        if not self.rules.open_mode:
            self._limit_address(scope)
        if refused is not None:
            raise refused
        page = page_scope(scope["path"])
        if text is None:
            if not self._is_admin_page(scope, page) and not await self._is_open(scope):
                raise unauthorized("An API key is needed: Authorization: Bearer, or X-Api-Key.")
            return OPEN
        principal = known or self._of_token(text, scope) or await self._holder(text, scope)
        if known is None:
            self._limit_key(principal, scope)
        if page is not None and not _may_see(principal, page, scope["path"]):
            raise _forbidden(page)
        return principal

    def limit_signed(self, scope: Scope) -> None:
        """Count a webhook against its sender's address. Raises WireError rate_limited."""
        client, rate = scope.get("client"), self.rules.rate_of_webhooks
        if rate and client:
            self._take(_webhook_subject(client[0], rate))

    async def identify(self, scope: Scope) -> Principal:
        """Who asks for this operation, having been admitted. Raises WireError forbidden."""
        principal: Principal = scope[PRINCIPAL]
        if principal.token is not None:
            return _within_token(principal, principal.token, scope)
        needed = NEEDED.get(operation(scope))
        if needed is None or needed not in principal.scopes:
            raise _forbidden(needed)
        return principal

    async def still_admits(self, scope: Scope) -> bool:
        """Whether who was admitted would be now, for a request that lasts: keys are revoked, open mode ends."""
        text, refused = _given(scope)
        if refused is not None:
            raise refused
        if text is None:
            return scope[PRINCIPAL] == OPEN and await self.keys.has_none()
        if text.startswith(PREFIX):
            return self.tokens.read(text) is not None
        return (self.keys.fresh(text) or await self.keys.find(text)).principal is not None

    def let_go(self, scope: Scope) -> None:
        """A request that lasts has found a place of its own: it no longer counts among those that run."""
        self.leave(scope)

    def enter(self, principal: Principal, scope: Scope) -> None:
        """A request runs from now on, until it leaves.

        Raises WireError when too many do: of all, or of one key more than half of that.
        """
        most = self.rules.concurrent
        if self._running_all >= most:
            raise WireError("busy", "Too many requests at once.", headers={"Retry-After": "1"})
        whose = principal.merchant_id, principal.actor
        running = self._running.get(whose, 0)
        if principal.key_id and running * 2 >= most:
            detail = "Too many requests of this key at once."
            raise WireError("rate_limited", detail, headers={"Retry-After": "1"})
        self._running_all += 1
        self._running[whose] = running + 1
        scope[RUNNING] = whose

    def leave(self, scope: Scope) -> None:
        """A request has ended, or counts no longer."""
        whose = scope.pop(RUNNING, None)
        if whose is None:
            return
        self._running_all -= 1
        running = self._running.pop(whose) - 1
        if running:
            self._running[whose] = running

    def flush_soon(self) -> None:
        """See to it that what was noted is written."""
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush_later())

    async def close(self) -> None:
        """Write what is left."""
        if self._flushing is not None:
            self._flushing.cancel()
        self._noted_at = -USED_NOTED_S
        await self._flush()

    def _of_token(self, text: str, scope: Scope) -> Principal | None:
        if not text.startswith(PREFIX):
            return None
        token = self.tokens.read(text)
        if token is None:
            scope["eci.why_not"] = "a read token that is none or has ended"
            raise unauthorized("The read token is not valid or has expired.")
        return Principal(token.merchant_id, f"read-token:{token.payment_id}", frozenset(), token=token)

    def _remembered(self, text: str | None) -> Principal | None:
        found = None if text is None else self.keys.fresh(text)
        return None if found is None else found.principal

    async def _holder(self, text: str, scope: Scope) -> Principal:
        client = scope.get("client")
        if client and not self.rules.open_mode and not self.keys.knows(text):
            self._take(_look_up_subject(client[0], LOOK_UPS_PER_S))
        found = await self.keys.find(text)
        if found.principal is None:
            scope["eci.why_not"] = found.why_not
            raise unauthorized("The API key is not valid.")
        return found.principal

    async def _is_open(self, scope: Scope) -> bool:
        if not self.rules.open_mode or not await self.keys.has_none():
            return False
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
        if not is_loopback(name):
            raise WireError("forbidden", "Without API keys this service answers to localhost only.")
        return True

    def _is_admin_page(self, scope: Scope, page: KeyScope | None) -> bool:
        port, server = self.rules.admin_port, scope.get("server")
        return page is not None and port is not None and server is not None and server[1] == port

    def _limit_address(self, scope: Scope) -> None:
        client = scope.get("client")
        if self.rules.rate_per_address and client:
            self._take(_address_subject(client[0], self.rules.rate_per_address))

    def _limit_key(self, principal: Principal, scope: Scope) -> None:
        if principal.key_id:
            self._used.add((principal.merchant_id, principal.key_id))
        rate = principal.rate_per_second or self.rules.rate_per_key
        if rate:
            scope[PRINCIPAL] = principal
            scope[VERDICT] = self._take(_key_subject(principal, rate))

    def _take(self, subject: Subject) -> Verdict:
        verdict = self.limits.take(subject)
        if self.limits.has_untold:
            self.flush_soon()
        if not verdict.passes:
            headers = verdict.headers() | {"Retry-After": str(verdict.reset_s)}
            most = f"{subject.burst} requests in a second" if verdict.is_burst else _most(subject)
            detail = f"More than {most}."
            raise WireError("rate_limited", detail, headers=headers)
        return verdict

    async def _flush_later(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            await self._flush()
            if not self.trail and not self.limits.has_untold:
                return

    async def _flush(self) -> None:
        events, untold = self.trail.taken(), self.limits.taken_untold()
        try:
            if events or untold:
                await self._write(events, untold)
            if self._used and monotonic() - self._noted_at >= USED_NOTED_S:
                await self._note_used()
        except Exception as error:  # noqa: BLE001 - it is kept, and written when the database is back
            self.trail.put_back(events)
            self.limits.put_back(untold)
            log.warning("the trail is not written yet", extra={"error": type(error).__name__})
            await asyncio.sleep(FLUSH_S)

    async def _write(self, events: dict[AdminEvent, Occurrence], untold: dict[Place, int]) -> None:
        async with self.database.write() as session:
            if events:
                await record(session, events)
            used = await add_used(session, untold) if untold else None
        if used is not None:
            self.limits.keep_time_with(used.now_s)
            self.limits.learn(used.sums)

    async def _note_used(self) -> None:
        used, self._used, self._noted_at = self._used, set(), monotonic()
        async with self.database.write() as session:
            await note_used(session, sorted(used))
            await forget_old(session, WINDOW_S)


@lru_cache(maxsize=4096)
def _address_subject(address: str, rate: int) -> Subject:
    return Subject(SINGLE_SHOP, f"address:{limited_as(address)}", rate * WINDOW_S)


@lru_cache(maxsize=4096)
def _webhook_subject(address: str, rate: int) -> Subject:
    return Subject(SINGLE_SHOP, f"webhooks:{limited_as(address)}", rate * WINDOW_S)


@lru_cache(maxsize=4096)
def _look_up_subject(address: str, rate: int) -> Subject:
    return Subject(SINGLE_SHOP, f"look-ups:{limited_as(address)}", rate * WINDOW_S)


def _most(subject: Subject) -> str:
    return f"{subject.limit} requests in {WINDOW_S} seconds"


def _key_subject(principal: Principal, rate: int) -> Subject:
    return Subject(principal.merchant_id, principal.actor, rate * WINDOW_S)


def _may_see(principal: Principal, page: KeyScope, path: str) -> bool:
    return page in principal.scopes and (path != "/metrics" or principal.merchant_id == SINGLE_SHOP)


def _given(scope: Scope) -> tuple[str | None, WireError | None]:
    """The key or the token, or why what was sent is neither."""
    try:
        key, token = given_key(scope), given_token(scope)
    except WireError as refused:
        return None, refused
    if key is not None and token is not None and key != token:
        return None, unauthorized("Send a key or a read token, not both.")
    return key if key is not None else token, None


def _within_token(principal: Principal, token: ReadToken, scope: Scope) -> Principal:
    """Of a token's own payment, what tokens open; other payments are not there."""
    if operation(scope) not in BY_TOKEN:
        raise WireError("forbidden", "A read token reads its payment and nothing else.", headers=_CHALLENGE)
    if scope["path_params"]["payment_id"] != str(token.payment_id):
        raise Refusal(RefusalCode.NOT_FOUND, "There is no such payment.")
    return principal


_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="eci-payments", error="insufficient_scope"'}


def _forbidden(needed: KeyScope | None) -> WireError:
    """403, with the scope that was missing (RFC 6750, section 3.1)."""
    named = f', scope="{needed}"' if needed else ""
    challenge = f'Bearer realm="eci-payments", error="insufficient_scope"{named}'
    detail = f"This needs a key with the scope {needed}." if needed else "No key may do this."
    return WireError("forbidden", detail, headers={"WWW-Authenticate": challenge})
