"""What the customer sees: the bank's page of a 3-D Secure card, a net bank, a wallet, or a UPI app."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse, Response

from eci_payments.domain.money import currency, major_units
from eci_payments.gateways.adapters.simulator.entry import Entry, State
from eci_payments.gateways.adapters.simulator.instruments import ACCOUNT_CODES, TEST_CARDS, UPI_ADDRESSES
from eci_payments.gateways.adapters.simulator.steering import BY_ENDING, Plan
from eci_payments.gateways.contract import ActionType
from eci_payments.sandbox.bodies import body_of
from eci_payments.sandbox.html import facts, origin_of, page, table

if TYPE_CHECKING:
    from starlette.requests import Request

    from eci_payments.gateways.adapters.simulator.instruments import Verdict
    from eci_payments.gateways.adapters.simulator.record import SimulatorRecord

MAX_FORM_BYTES = 1024
"""A choice is a dozen bytes."""
_TITLES: dict[ActionType, str] = {
    ActionType.REDIRECT: "Confirm this payment",
    ActionType.UPI_INTENT: "Pay with UPI",
    ActionType.UPI_COLLECT: "Somebody asks you for money",
}
_ENDS: dict[State, str] = {
    State.APPROVED: "This payment is approved.",
    State.DECLINED: "This payment is declined.",
    State.CANCELLED: "This payment was cancelled.",
    State.PENDING: "This payment is being processed.",
}
_FORM = """<form method="post">
<button class="primary" type="submit" name="choice" value="approve">Approve</button>
<button type="submit" name="choice" value="decline">Decline</button>
</form>
<p>This is a simulator: no real money moves.</p>"""


class Pages:
    """The customer's pages over one record."""

    def __init__(self, record: SimulatorRecord) -> None:
        self._record = record

    async def ask(self, request: Request) -> Response:
        """The question, or how it ended."""
        entry = await self._record.waiting(request.path_params["reference"])
        return _unknown() if entry is None or entry.action is None else _shown(entry)

    async def choose(self, request: Request) -> Response:
        """Take the customer's choice; then back to the shop, when it said where to."""
        approved = await _choice(request)
        if approved is None:
            return page("That was no choice", "<p>Choose Approve or Decline.</p>", status=400)
        entry = await self._record.choose(request.path_params["reference"], approved=approved)
        if entry is None or entry.action is None:
            return _unknown()
        if entry.return_url is not None and origin_of(entry.return_url) is not None:
            return RedirectResponse(entry.return_url, 303, headers={"Cache-Control": "no-store"})
        return _shown(entry)

    async def home(self, _: Request) -> Response:
        """What steers outcomes, from the very tables that do it."""
        endings = [(f"{ending:02}", plan.what) for ending, plan in sorted(BY_ENDING.items())]
        instruments = [
            (text, _described(verdict))
            for known in (TEST_CARDS, UPI_ADDRESSES, ACCOUNT_CODES)
            for text, verdict in known.items()
        ]
        body = (
            "<p>No real money moves here.</p>\n<h2>Amounts, by their last two digits of minor units</h2>\n"
            + table(("Ends in", "What comes of it"), endings)
            + "\n<h2>Cards, UPI addresses, banks and wallets</h2>\n"
            + table(("Instrument", "What comes of it"), instruments)
        )
        return page("The payment simulator", body)


def _described(verdict: Verdict) -> str:
    if verdict.capture_code is not None:
        return f"authorized; declined when charged: {verdict.capture_code}"
    return (verdict.plan or Plan("approved")).what


async def _choice(request: Request) -> bool | None:
    body = await body_of(request, MAX_FORM_BYTES)
    chosen = parse_qs((body or b"").decode("latin-1")).get("choice", [""])[0]
    return {"approve": True, "decline": False}.get(chosen)


def _shown(entry: Entry) -> Response:
    if entry.state is not State.ACTION:
        text = _ENDS.get(entry.state, "This payment is not known yet.")
        return page("Nothing to confirm", f'<p role="status">{text}</p>\n{_facts(entry)}')
    title = _TITLES[entry.action or ActionType.REDIRECT]
    return page(title, f"{_facts(entry)}\n{_FORM}", leads_to=origin_of(entry.return_url))


def _facts(entry: Entry) -> str:
    amount = f"{major_units(entry.amount_minor, currency(entry.currency)):f} {entry.currency}"
    return facts([("Amount", amount), ("Order", entry.order_id), ("Transaction", entry.transaction_id)])


def _unknown() -> Response:
    return page("No such payment", "<p>There is nothing to confirm at this address.</p>", status=404)
