"""Fixtures of the api's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.api import Api, running_api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.postgres import Server


@pytest.fixture(scope="module")
def shared_url(postgres: Server, template: str) -> Iterator[str]:
    """A database for the tests of one file, each of which uses orders of its own."""
    made = postgres.create(template)
    yield made.service_url
    postgres.drop(made)


@pytest.fixture
async def api(shared_url: str) -> AsyncIterator[Api]:
    """A client of the service over the file's database and a simulator of the test's own."""
    async with running_api(shared_url) as running:
        yield running


@pytest.fixture
async def fresh_api(service_url: str) -> AsyncIterator[Api]:
    """The same over an empty database."""
    async with running_api(service_url) as running:
        yield running
