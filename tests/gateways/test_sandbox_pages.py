"""The customer's pages over real HTTP, as another process over the same record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from eci_payments.domain.methods import Card, PaymentMethod, Upi
from eci_payments.gateways.adapters.simulator.gateway import SimulatorGateway
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from eci_payments.gateways.contract import ActionRequired, Approved, CallKind, Cancelled, Declined
from support.sandbox import running_pages
from support.simulator import call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from eci_payments.gateways.contract import GatewayCall

WAITS = Card("4000002500003155", 12, 2040, "123")


@pytest.fixture(scope="module")
def record_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages") / "simulator.sqlite3"


@pytest.fixture(scope="module")
def pages(record_path: Path) -> Iterator[str]:
    with running_pages(record_path) as url:
        yield url


@pytest.fixture
async def gateway(record_path: Path, pages: str) -> AsyncIterator[SimulatorGateway]:
    made = SimulatorGateway(record=SimulatorRecord(record_path), base_url=pages)
    yield made
    await made.close()


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


async def asked(gateway: SimulatorGateway, sent: GatewayCall) -> str:
    outcome = await gateway.perform(sent)
    assert isinstance(outcome, ActionRequired)
    assert outcome.url is not None
    return outcome.url


@pytest.mark.parametrize(("choice", "expected"), [("approve", Approved), ("decline", Declined)])
async def test_the_customers_choice_decides(
    gateway: SimulatorGateway, browser: httpx.AsyncClient, choice: str, expected: type
):
    sent = call(instrument=WAITS)
    url = await asked(gateway, sent)
    shown = await browser.get(url)
    assert shown.status_code == 200
    assert "149.50 INR" in shown.text
    assert isinstance(await gateway.inquire(sent), ActionRequired)
    assert (await browser.post(url, data={"choice": choice})).status_code == 200
    assert isinstance(await gateway.inquire(sent), expected)
    await browser.post(url, data={"choice": "approve"})
    assert isinstance(await gateway.inquire(sent), expected)


async def test_a_collect_request_is_approved_on_the_same_page(
    gateway: SimulatorGateway, browser: httpx.AsyncClient
):
    sent = call(instrument=Upi("collect@simulator"), method=PaymentMethod.UPI)
    await browser.post(await asked(gateway, sent), data={"choice": "approve"})
    assert isinstance(await gateway.inquire(sent), Approved)


async def test_back_to_the_shop(gateway: SimulatorGateway, browser: httpx.AsyncClient):
    back = "https://shop.example/back?order=1&x=<y>"
    url = await asked(gateway, call(instrument=WAITS, return_url=back))
    assert (
        "form-action 'self' https://shop.example;"
        in (await browser.get(url)).headers["Content-Security-Policy"]
    )
    answer = await browser.post(url, data={"choice": "approve"})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("https://shop.example/back?order=1")


@pytest.mark.parametrize("back", ["javascript:alert(1)", "//evil.example", "https://a'; script-src *", ""])
async def test_what_is_no_web_address_is_never_followed(
    gateway: SimulatorGateway, browser: httpx.AsyncClient, back: str
):
    url = await asked(gateway, call(instrument=WAITS, return_url=back))
    assert "form-action 'self';" in (await browser.get(url)).headers["Content-Security-Policy"]
    assert (await browser.post(url, data={"choice": "approve"})).status_code == 200


async def test_a_cancelled_payment_asks_nothing(gateway: SimulatorGateway, browser: httpx.AsyncClient):
    sent = call(instrument=WAITS)
    url = await asked(gateway, sent)
    assert isinstance(await gateway.perform(call(CallKind.CANCEL_ACTION, parent=sent)), Cancelled)
    assert "This payment was cancelled." in (await browser.get(url)).text
    await browser.post(url, data={"choice": "approve"})
    assert isinstance(await gateway.inquire(sent), Cancelled)


async def test_everything_is_escaped_and_closed(gateway: SimulatorGateway, browser: httpx.AsyncClient):
    sent = call(instrument=WAITS)
    object.__setattr__(sent, "order_id", "<script>alert(1)</script>")
    shown = await browser.get(await asked(gateway, sent))
    assert "<script>" not in shown.text
    assert "&lt;script&gt;" in shown.text
    assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Cache-Control"] == "no-store"
    assert not re.search(r"""(src|href)=["']?https?:""", shown.text)
    assert '<html lang="en">' in shown.text


async def test_what_is_not_there(pages: str, browser: httpx.AsyncClient):
    assert (await browser.get(f"{pages}/challenge/nothing")).status_code == 404
    assert (await browser.post(f"{pages}/challenge/nothing", data={"choice": "approve"})).status_code == 404


async def test_what_is_no_choice(gateway: SimulatorGateway, browser: httpx.AsyncClient):
    sent = call(instrument=WAITS)
    url = await asked(gateway, sent)
    assert (await browser.post(url, data={"choice": "maybe"})).status_code == 400
    assert (await browser.post(url, content=b"x" * 5000)).status_code == 400
    assert isinstance(await gateway.inquire(sent), ActionRequired)


async def test_a_plain_charge_has_no_page(gateway: SimulatorGateway, pages: str, browser: httpx.AsyncClient):
    outcome = await gateway.perform(call())
    assert isinstance(outcome, Approved)
    assert (await browser.get(f"{pages}/challenge/{outcome.reference}")).status_code == 404


async def test_the_first_page_says_what_steers(pages: str, browser: httpx.AsyncClient):
    home = (await browser.get(pages)).text
    assert "declined: insufficient_funds" in home
    assert "4242424242424242" in home
    assert (await browser.get(f"{pages}/health")).json()["status"] == "healthy"
