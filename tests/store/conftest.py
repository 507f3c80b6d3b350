"""A session on the database of a test, and a world of payments in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eci_payments.store.session import Database
from support.world import world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def owner(owner_url) -> AsyncIterator[Database]:
    """The database as the owner of the schema sees it, who may also do harm."""
    opened = Database(owner_url, pool_size=6)
    yield opened
    await opened.close()


@pytest.fixture
async def service(service_url) -> AsyncIterator[Database]:
    """The database as the service sees it."""
    opened = Database(service_url, pool_size=6)
    yield opened
    await opened.close()


@pytest.fixture
def shop(service):
    """Payments, written by the real operations in the service's role."""
    return world(service)
