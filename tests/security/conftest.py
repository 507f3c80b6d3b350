"""A service that is closed, and keys that open it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eci_payments.store.session import Database
from support.access import Keys, guarded_api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def keys(owner_url) -> AsyncIterator[Keys]:
    owner = Database(owner_url, pool_size=2)
    yield Keys(owner)
    await owner.close()


@pytest.fixture
async def closed(service_url):
    """A service that asks everybody for a key."""
    async with guarded_api(service_url) as (api, _):
        yield api
