"""A guarded service for tests, and keys for it."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eci_payments.api.access import Access, AccessRules
from eci_payments.api.read_tokens import ReadTokens
from eci_payments.domain.api_keys import EVERY_SCOPE, SECRET_BYTES, Scope, new_key, presented
from eci_payments.domain.ids import SINGLE_SHOP, MerchantId
from eci_payments.store.api_keys import add_key, revoke_key
from eci_payments.store.merchants import add_merchant
from eci_payments.store.session import Database, run
from support.api import SECRET, Api, running_api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection


@dataclass(slots=True)
class Keys:
    """Makes keys as the owner of the schema."""

    owner: Database

    async def make(
        self,
        scopes: Collection[Scope] = EVERY_SCOPE,
        merchant: int = SINGLE_SHOP,
        days: int | None = None,
        per_second: int | None = None,
    ) -> str:
        text = new_key(MerchantId(merchant), secrets.token_bytes(SECRET_BYTES))
        async with self.owner.write() as session:
            assert await add_key(session, known(text), "test", scopes, days, per_second)
        return text

    async def make_expired(self) -> str:
        text = await self.make()
        async with self.owner.write() as session:
            sql = "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE key_id = $1"
            await run(session, sql, known(text).key_id)
        return text

    async def make_revoked(self) -> str:
        text = await self.make()
        await self.revoke(text)
        return text

    async def revoke(self, text: str) -> None:
        async with self.owner.write() as session:
            assert await revoke_key(session, known(text).merchant_id, known(text).key_id)

    async def make_merchant(self) -> MerchantId:
        async with self.owner.write() as session:
            return await add_merchant(session, "another")


def known(text: str):
    key = presented(text)
    assert key is not None
    return key


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@asynccontextmanager
async def guarded_api(
    service_url: str, *, services: Any = None, **rules: Any
) -> AsyncIterator[tuple[Api, Access]]:
    """The app behind its door; ``rules`` are those of `AccessRules`."""
    database = Database(service_url, pool_size=3)
    tokens = ReadTokens([SECRET])
    access = Access(database, AccessRules(**rules), tokens)
    try:
        given = {"access": access, "identify": access.identify, "read_tokens": tokens} | (services or {})
        async with running_api(service_url, **given) as api:
            yield api, access
            await access.close()
    finally:
        await database.close()
