"""Webhooks out: signed as Standard Webhooks 1.0 says, tried again until the shop takes them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import secrets
import sqlite3
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from eci_payments.gateways.adapters.simulator.answers import answer_on
from eci_payments.gateways.adapters.simulator.notices import NoticeFault
from eci_payments.gateways.adapters.simulator.writer import RecordBusy
from eci_payments.sandbox.wire import outcome_json

if TYPE_CHECKING:
    from eci_payments.gateways.adapters.simulator.disputes import Dispute
    from eci_payments.gateways.adapters.simulator.entry import Entry
    from eci_payments.gateways.adapters.simulator.notices import Notice
    from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
    from eci_payments.sandbox.options import SandboxOptions

log = logging.getLogger(__name__)
IDLE_S = 0.1
TIMEOUT_S = 5.0
GONE = 410


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """One signature of the list. The secret is ``whsec_`` and base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class Webhooks:
    """Sends what the record has to tell, one after another for each charge."""

    def __init__(self, record: SimulatorRecord, options: SandboxOptions) -> None:
        self._record = record
        self._options = options

    async def run(self) -> None:
        """Until cancelled."""
        limits = httpx.Limits(max_connections=16)
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, limits=limits) as client:
            while True:
                try:
                    sent = await self._send_due(client)
                except (RecordBusy, sqlite3.Error):
                    log.warning("the sandbox's record is busy; webhooks wait")
                    sent = 0
                if not sent:
                    await asyncio.sleep(IDLE_S)

    async def _send_due(self, client: httpx.AsyncClient) -> int:
        due = await self._record.claim_notices()
        by_charge: defaultdict[str, list[Notice]] = defaultdict(list)
        for notice in due:
            by_charge[notice.entry.root_key].append(notice)
        await asyncio.gather(*(self._send_all(client, notices) for notices in by_charge.values()))
        return len(due)

    async def _send_all(self, client: httpx.AsyncClient, notices: list[Notice]) -> None:
        for notice in sorted(notices, key=lambda n: n.happened_at_s):
            copies = 2 if notice.fault is NoticeFault.DOUBLE else 1
            statuses = await asyncio.gather(*(self._send(client, notice) for _ in range(copies)))
            forged = self._is_forged(notice)
            done = not forged and any(_is_done(status) for status in statuses)
            answer = ("forged: " if forged else "") + " ".join(map(str, statuses))
            await self._record.settle_notice(notice.event_id, answer, done=done)

    async def _send(self, client: httpx.AsyncClient, notice: Notice) -> int | str:
        """The status, or the name of what went wrong."""
        body = self._body(notice)
        timestamp = int(self._record.clock())
        keys = (_stranger(),) if self._is_forged(notice) else self._options.webhook_secrets
        headers = {
            "content-type": "application/json",
            "webhook-id": notice.event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signature(key, notice.event_id, timestamp, body) for key in keys),
        }
        try:
            response = await client.post(self._options.webhook_url or "", content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__
        return response.status_code

    def _body(self, notice: Notice) -> bytes:
        if notice.dispute is not None:
            return _encoded(notice, f"dispute.{notice.dispute.state}", _dispute(notice.entry, notice.dispute))
        entry = notice.entry
        if notice.fault is NoticeFault.WRONG_AMOUNT:
            entry = replace(entry, amount_minor=entry.amount_minor + 1, moved_minor=entry.moved_minor + 1)
        outcome = outcome_json(answer_on(entry, notice.happened_at_s, self._options.public_url))
        data: dict[str, Any] = {
            "key": entry.key,
            "kind": entry.kind.value,
            "parent_key": entry.parent_key,
            "merchant_id": entry.merchant_id,
            "transaction_id": entry.transaction_id,
            "order_id": entry.order_id,
            "currency": entry.currency,
            "amount_minor": entry.amount_minor,
        }
        return _encoded(notice, f"{entry.kind.value}.{outcome['state']}", data | outcome)

    def _is_forged(self, notice: Notice) -> bool:
        """The first try of a badly signed one; the next is the gateway's own again."""
        return notice.fault is NoticeFault.BAD_SIGNATURE and notice.attempts == 1


def _encoded(notice: Notice, kind: str, data: dict[str, Any]) -> bytes:
    created_at = datetime.fromtimestamp(notice.happened_at_s, UTC).isoformat()
    return msgspec.json.encode({"id": notice.event_id, "type": kind, "created_at": created_at, "data": data})


def _dispute(charge: Entry, dispute: Dispute) -> dict[str, Any]:
    return {
        "kind": "dispute",
        "parent_key": charge.key,
        "merchant_id": charge.merchant_id,
        "transaction_id": charge.transaction_id,
        "order_id": charge.order_id,
        "currency": charge.currency,
        "amount_minor": dispute.amount_minor,
        "reference": dispute.reference,
        "state": dispute.state,
        "reason": dispute.reason,
    }


def _stranger() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _is_done(status: int | str) -> bool:
    return isinstance(status, int) and (200 <= status < 300 or status == GONE)  # noqa: PLR2004 - 2xx
