"""Who asked for a large refund does not approve it: over the wire, with keys, and in the trail."""

from __future__ import annotations

import pytest

from eci_payments.domain.api_keys import Scope
from eci_payments.domain.limits import LimitKind
from eci_payments.store.admin_events import newest_events
from support.access import bearer, known
from support.api import charge_body, running_api
from support.limits import limited
from support.waiting import until

APPROVE = {"decision": "approve", "reason": "I looked at it"}


@pytest.fixture(autouse=True)
async def threshold(owner_url):
    await limited(owner_url, LimitKind.REFUND_APPROVAL, 10000)


async def awaiting(api, key):
    charged = (await api.post("/v1/payments/charge", charge_body(), headers=key)).json()
    path = f"/v1/payments/{charged['payment_id']}/refund"
    answer = await api.post(path, {"reason": "All came back"}, key="r", headers=key)
    assert answer.status_code == 202
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["refunds"][0]["status"] == "AWAITING_APPROVAL"
    return path, f"/v1/approvals/{answer.json()['refunds'][0]['refund_id']}"


async def test_two_keys_make_one_refund(closed, keys):
    asks, approves = (
        await keys.make({Scope.CHARGE, Scope.REFUND}),
        await keys.make({Scope.OPERATE, Scope.READ}),
    )
    path, approval = await awaiting(closed, bearer(asks))
    shown = (await closed.get(approval, headers=bearer(approves))).json()
    assert (shown["status"], shown["decided_by"]) == ("AWAITING_APPROVAL", None)
    assert shown["requested_by"] == f"key:{known(asks).key_id}"
    listed = await closed.get("/v1/approvals?status=AWAITING_APPROVAL", headers=bearer(approves))
    assert listed.json() == {"approvals": [shown], "next_after": None}
    assert (await closed.post(approval, APPROVE, headers=bearer(asks))).status_code == 403

    approved = await closed.post(approval, APPROVE, headers=bearer(approves))
    assert (approved.status_code, approved.json()["status"]) == (200, "REFUNDED")
    own = await closed.post(path, {"reason": "All came back"}, key="r", headers=bearer(asks))
    assert (own.status_code, own.content) == (200, approved.content)
    after = (await closed.get(approval, headers=bearer(approves))).json()
    assert (after["status"], after["decision_reason"]) == ("APPROVED", "I looked at it")
    assert after["decided_by"] == f"key:{known(approves).key_id}"
    assert (await closed.get("/v1/approvals?status=AWAITING_APPROVAL", headers=bearer(approves))).json()[
        "approvals"
    ] == []


async def test_a_key_with_every_scope_does_not_approve_what_it_asked_for(closed, keys):
    key = bearer(await keys.make())
    path, approval = await awaiting(closed, key)
    refused = await closed.post(approval, APPROVE, key="a", headers=key)
    assert (refused.status_code, refused.json()["code"]) == (403, "another_key_needed")
    assert (await closed.get(approval, headers=key)).json()["status"] == "AWAITING_APPROVAL"

    async def trailed():
        async with keys.owner.read() as session:
            return [e.event.result for e in await newest_events(session, 1) if "approvals" in e.event.action]

    await until(trailed)
    assert await trailed() == ["403"]
    taken_back = await closed.post(approval, APPROVE | {"decision": "reject"}, headers=key)
    assert taken_back.status_code == 200
    own = await closed.post(path, {"reason": "All came back"}, key="r", headers=key)
    assert (own.status_code, own.json()["code"]) == (409, "refund_not_approved")


async def test_in_open_mode_nobody_can_be_told_apart_so_nobody_approves(service_url):
    async with running_api(service_url) as api:
        _, approval = await awaiting(api, {})
        refused = await api.post(approval, APPROVE)
        assert (refused.status_code, refused.json()["code"]) == (403, "another_key_needed")
        assert (await api.post(approval, APPROVE | {"decision": "reject"})).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"decision": "approve"}, "reason"),
        ({"decision": "yes", "reason": "I looked at it"}, "decision"),
        (APPROVE | {"amount": 1}, "amount"),
    ],
)
async def test_a_wrong_decision_is_422(service_url, body, field):
    async with running_api(service_url) as api:
        answer = await api.post("/v1/approvals/1", body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_pages_of_approvals(service_url):
    async with running_api(service_url) as api:
        for _ in range(3):
            charged = (await api.charge()).json()
            asked = await api.post(f"/v1/payments/{charged['payment_id']}/refund", {"reason": "Came back"})
            assert asked.status_code == 202
        first = (await api.get("/v1/approvals?page_size=2")).json()
        rest = (await api.get(f"/v1/approvals?page_size=2&after={first['next_after']}")).json()
        ids = [each["approval_id"] for each in first["approvals"] + rest["approvals"]]
        assert (len(ids), ids, rest["next_after"]) == (3, sorted(set(ids)), None)
        await api.post(f"/v1/approvals/{ids[0]}", APPROVE | {"decision": "reject"})
        counts = [
            len((await api.get(f"/v1/approvals?status={each}")).json()["approvals"])
            for each in ("AWAITING_APPROVAL", "REJECTED", "APPROVED", "EXPIRED")
        ]
        assert counts == [2, 1, 0, 0]
        assert (await api.get("/v1/approvals?after=0")).status_code == 422
