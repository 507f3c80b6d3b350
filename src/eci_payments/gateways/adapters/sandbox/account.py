"""One account at a sandbox as a `Gateway`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.accounts import Narrow, unchanged
from eci_payments.gateways.adapters.sandbox.events import read_webhook
from eci_payments.gateways.adapters.sandbox.mapping import inquired, listed, performed, request_json
from eci_payments.gateways.contract import Capabilities, Listing, NotSent, Unknown
from eci_payments.gateways.transport import Reply, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eci_payments.gateways.contract import GatewayCall, Inquiry, Outcome
    from eci_payments.gateways.hooks import GatewayEvent

AUTHORIZATION_VALID_S = 7 * 86_400.0
METHODS = frozenset(PaymentMethod) - {PaymentMethod.COD}
FAULT_HEADER = "X-Sandbox-Fault"


class SandboxGateway:
    """``fault`` names the faults that the sandbox shall add to a call (header X-Sandbox-Fault); for tests.

    ``never_seen_after_s`` must be longer than ``timeout_s``; the default is a time-out and a half.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        name: str = "sandbox",
        timeout_s: float = 10.0,
        never_seen_after_s: float | None = None,
        fault: Callable[[GatewayCall], str | None] | None = None,
        narrow: Narrow = unchanged,
    ) -> None:
        self._name = name
        self._fault = fault
        self._transport = Transport(
            base_url, headers={"Authorization": f"Bearer {api_key}"}, timeout_s=timeout_s
        )
        self._capabilities = narrow(
            Capabilities(
                methods=METHODS,
                currencies=None,
                multiple_capture=True,
                inquiry_by_key=True,
                never_seen_after_s=timeout_s * 1.5 if never_seen_after_s is None else never_seen_after_s,
                authorization_valid_s=dict.fromkeys(METHODS, AUTHORIZATION_VALID_S),
                lists_instruments=True,
            )
        )

    @property
    def name(self) -> str:
        """The account's name."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """Everything but COD, in every currency."""
        return self._capabilities

    async def perform(self, call: GatewayCall) -> Outcome:
        """Do it once per key."""
        named = self._fault(call) if self._fault else None
        reply = await self._transport.send(
            "POST",
            f"/v1/operations/{call.kind.value}",
            json=request_json(call),
            headers={FAULT_HEADER: named} if named else None,
        )
        return performed(call, reply) if isinstance(reply, Reply) else reply

    async def inquire(self, call: GatewayCall) -> Inquiry:
        """What the sandbox knows of this key."""
        reply: Reply | NotSent | Unknown = await self._transport.send(
            "GET", f"/v1/operations/{quote(call.key, safe='')}"
        )
        return inquired(call, reply) if isinstance(reply, Reply) else reply

    async def list_instruments(self) -> Listing | NotSent | Unknown:
        """The banks and wallets that have names there."""
        reply = await self._transport.send("GET", "/v1/methods")
        return listed(reply) if isinstance(reply, Reply) else reply

    def read_webhook(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now_s: float
    ) -> GatewayEvent:
        """A webhook of the sandbox (Standard Webhooks). Raises BadWebhook."""
        return read_webhook(headers, body, secrets, now_s)

    async def close(self) -> None:
        """Give back the connections."""
        await self._transport.close()
