"""Cash on delivery, from the order to the carrier's hand-over."""

from __future__ import annotations

import pytest

from eci_payments.store.session import Database
from eci_payments.store.verify import verify
from support.api import charge_body


async def ordered(api, amount=100):
    response = await api.post("/v1/payments/charge", charge_body(payment_method="COD", amount=amount))
    assert (response.status_code, response.json()["status"]) == (201, "PENDING"), response.text
    return response.json()["payment_id"]


async def collect(api, payment_id, **body):
    return await api.post(f"/v1/payments/{payment_id}/collect", {"collector": "Courier 12"} | body)


async def remit(api, payment_id, **body):
    return await api.post(f"/v1/payments/{payment_id}/remit", {"remittance": "Deposit 7"} | body)


async def balances(service_url):
    database = Database(service_url)
    report = await verify(database)
    await database.close()
    assert report.ok, report.findings
    return {account: amount for (account, _), amount in report.balances.items() if amount}


async def test_collected_remitted_and_refunded_by_hand(fresh_api, service_url):
    api = fresh_api
    payment_id = await ordered(api)
    collected = await collect(api, payment_id, proof="Receipt 4711")
    assert (collected.status_code, collected.json()["status"]) == (200, "COMPLETED")
    assert await balances(service_url) == {"cod:in_transit": 10000, "merchant:1:payable": -10000}
    part = await remit(api, payment_id, amount=40)
    assert [t["transaction_type"] for t in part.json()["transactions"]] == [
        "PAYMENT",
        "CAPTURE",
        "SETTLEMENT",
    ]
    assert (await remit(api, payment_id, amount="60.01")).json()["code"] == "amount_exceeds_authorized"
    assert (await remit(api, payment_id)).status_code == 200
    assert (await remit(api, payment_id)).json()["code"] == "illegal_state"
    assert await balances(service_url) == {"external": 10000, "merchant:1:payable": -10000}
    refund = await api.post(f"/v1/payments/{payment_id}/refund", {"reason": "Came back", "amount": 25})
    (waiting,) = refund.json()["refunds"]
    assert (waiting["status"], refund.json()["status"]) == ("PENDING", "COMPLETED")
    paid = await api.post(f"/v1/payments/{payment_id}/refunds/{waiting['refund_id']}/paid", {})
    assert (paid.json()["status"], paid.json()["amount_refunded"]) == ("PARTIALLY_REFUNDED", 25)
    assert await balances(service_url) == {"external": 7500, "merchant:1:payable": -7500}


async def test_a_part_is_collected(api):
    payment_id = await ordered(api)
    assert (await collect(api, payment_id, amount="100.01")).status_code == 422
    part = (await collect(api, payment_id, amount="99.50")).json()
    assert (part["status"], part["amount_captured"], part["amount"]) == ("COMPLETED", 99.5, 100)


async def test_refused_at_the_door(api):
    payment_id = await ordered(api)
    refused = (await collect(api, payment_id, refused=True)).json()
    assert (refused["status"], refused["amount_captured"]) == ("CANCELLED", 0)
    assert (await collect(api, payment_id)).json()["code"] == "illegal_state"


async def test_paid_online_instead_it_is_not_collected(api):
    payment_id = await ordered(api)
    online = await api.post(f"/v1/payments/{payment_id}/confirm", {"payment_method": "UPI"})
    assert online.json()["status"] == "COMPLETED"
    late = await collect(api, payment_id)
    assert (late.status_code, late.json()["code"]) == (409, "illegal_state")
    assert (await remit(api, payment_id)).json()["code"] == "illegal_state"


async def test_what_is_refused_has_no_amount(api):
    payment_id = await ordered(api)
    both = await collect(api, payment_id, refused=True, amount=100)
    assert (both.status_code, both.json()["errors"][0]["field"]) == (422, "refused")
    assert (await collect(api, payment_id, refused=False, amount=100)).json()["status"] == "COMPLETED"


@pytest.mark.parametrize("body", [{"collector": ""}, {"collector": "C", "refused": "yes"}, {"amount": 1}])
async def test_bad_input_changes_nothing(api, body):
    payment_id = await ordered(api)
    response = await api.post(f"/v1/payments/{payment_id}/collect", body)
    assert response.status_code == 422
    assert (await api.get(f"/v1/payments/{payment_id}")).json()["status"] == "PENDING"
