"""Two `serve` processes over one database: a revoked key and a rate limit hold for both."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

from eci_payments.api.access import FLUSH_S
from eci_payments.api.authentication import FRESH_S, STALE_S
from eci_payments.api.limits import TOLD_FROM, WINDOW_S
from support.access import bearer
from support.processes import processes

if TYPE_CHECKING:
    from pathlib import Path

REVOKED_WITHIN_S = 5.0
PATIENCE_S = 30.0
"""For a machine that is busy: what is promised is how old remembered keys get, which is checked beside it."""
LIST = "/v1/payments"


@pytest.fixture
async def replicas(tmp_path: Path, database, keys):
    """The addresses of two processes, and a key that both have seen."""
    key = await keys.make()
    settings = {
        "DATA_DIR": tmp_path,
        "DATABASE_URL": database.service_url.replace("+asyncpg", ""),
        "GATEWAYS": "simulator",
        "RATE_LIMIT_PER_KEY": 20,
        "FINGERPRINT_KEY": "a-key-of-the-tests-of-thirty-two-characters",
    }
    with processes(tmp_path / "p", **settings) as made:
        started = [made.start("serve", "--port", "0") for _ in range(2)]
        addresses = [
            each.wait_for('"listens_on"').split('"listens_on":"')[1].split('"')[0] for each in started
        ]
        async with httpx.AsyncClient(timeout=PATIENCE_S, headers=bearer(key)) as client:
            yield client, addresses, key


async def status(client, address):
    return (await client.get(address + LIST)).status_code


async def test_a_revoked_key_is_refused_by_every_process_within_its_bound(replicas, keys, record_property):
    client, addresses, key = replicas
    for address in addresses:
        assert await status(client, address) == 200
    await keys.revoke(key)
    revoked_at = time.monotonic()
    waiting, refused_after_s = set(addresses), {}
    while waiting:
        for address in sorted(waiting):
            if await status(client, address) == 401:
                refused_after_s[address] = time.monotonic() - revoked_at
                waiting.discard(address)
        assert time.monotonic() - revoked_at < PATIENCE_S
    for _ in range(3):
        assert [await status(client, each) for each in addresses] == [401, 401]  # for good
    record_property("refused_after_s", sorted(round(each, 2) for each in refused_after_s.values()))
    assert FRESH_S < STALE_S < REVOKED_WITHIN_S


async def test_a_flood_through_two_processes_gets_one_limit_to_within_the_stated_error(replicas):
    client, addresses, _ = replicas
    limit, per_round, rounds = 20 * WINDOW_S, 10, 30
    begun, let_through, most_in_between = time.time(), 0, 0
    for _ in range(rounds):
        in_between = 0
        for address in addresses:
            for _ in range(per_round):
                in_between += await status(client, address) == 200
        let_through += in_between
        most_in_between = max(most_in_between, in_between)
    windows = int(time.time()) // WINDOW_S - int(begun) // WINDOW_S + 1
    told_every = 1 + int(2 * FLUSH_S / max(FLUSH_S / 10, (time.time() - begun) / rounds))
    error = most_in_between * told_every + 2 * limit // TOLD_FROM
    assert let_through <= windows * (limit + error)
    assert let_through < rounds * per_round * len(addresses) or windows > 1
