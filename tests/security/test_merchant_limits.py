"""What a caller is told of a limit or a block: no more than that the charge is not accepted; the trail knows more."""

from __future__ import annotations

import pytest

from eci_payments.domain.limits import BlockKind, LimitKind
from eci_payments.store.admin_events import newest_events
from eci_payments.store.blocks import add_block
from eci_payments.store.session import run
from support.access import bearer
from support.api import charge_body
from support.limits import limited


@pytest.fixture
async def blocked(keys):
    async with keys.owner.write() as session:
        assert await add_block(session, 1, BlockKind.USER, "user:66", "Chargebacks")


@pytest.mark.usefixtures("blocked")
async def test_a_limit_and_a_block_are_refused_in_the_same_words(closed, keys, owner_url):
    await limited(owner_url, LimitKind.USER, None, charges=1, window_s=3600)
    key = bearer(await keys.make())
    assert (await closed.post("/v1/payments/charge", charge_body(), headers=key)).status_code == 201
    answers = []
    for user in (7, 66):
        refused = await closed.post("/v1/payments/charge", charge_body(user_id=user), key="k", headers=key)
        assert (refused.status_code, refused.json()["code"]) == (403, "charge_refused")
        assert "retry-after" not in refused.headers
        answers.append(refused.json() | {"correlation_id": None})
    assert answers[0] == answers[1]
    async with keys.owner.read() as session:
        found = await newest_events(session, 1)
    told = [
        (e.event.subject.split()[-1], e.event.result) for e in found if e.event.action == "charge refused"
    ]
    assert sorted(told) == [("66", "blocked user"), ("7", "user limit")]
    assert (await closed.get("/v1/payments", headers=key)).json()["total"] == 1


async def test_the_limit_of_one_charge_does_not_say_how_much(closed, keys, owner_url):
    await limited(owner_url, LimitKind.CHARGE, 12345)
    key = bearer(await keys.make())
    refused = await closed.post("/v1/payments/charge", charge_body(), headers=key)
    assert (refused.status_code, refused.json()["code"]) == (422, "amount_above_limit")
    assert "123" not in refused.text.replace(refused.json()["correlation_id"], "")
    created = await closed.post("/v1/payments", charge_body(), headers=key)
    assert (created.status_code, created.json()["errors"][0]["field"]) == (422, "amount")
    assert (
        await closed.post("/v1/payments/charge", charge_body(amount=123.45), headers=key)
    ).status_code == 201


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO merchant_limits (merchant_id, kind, currency, amount_minor) VALUES (1, 'charge', 'INR', 1)",
        "UPDATE merchant_limits SET amount_minor = 1",
        "DELETE FROM merchant_limits",
        "INSERT INTO blocks (merchant_id, subject, kind, reason) VALUES (1, 'user:1', 'user', 'x')",
        "DELETE FROM blocks",
    ],
)
async def test_the_services_role_cannot_change_what_is_limited(closed, statement):
    with pytest.raises(Exception, match="permission denied"):
        async with closed.services.database.write() as session:
            await run(session, statement)
