"""The gateway's webhooks in a run: the sandbox signs and sends them, any api process takes them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import httpx

from eci_payments.gateways.adapters.sandbox.events import read_webhook
from eci_payments.gateways.hooks import BadWebhook
from eci_payments.operations.ingest.receive import receive
from eci_payments.sandbox.options import SandboxOptions
from eci_payments.sandbox.webhooks import Webhooks
from proof.simulation.gateway import SECRET
from proof.simulation.turns import LOOP, Turns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proof.simulation.processes import World


@dataclass(frozen=True, slots=True)
class _Answer:
    status_code: int


@dataclass
class Line:
    """Stands where the sandbox has its HTTP client: brings a webhook to an api process."""

    world: World

    async def post(self, _url: str, *, content: bytes, headers: Mapping[str, str]) -> _Answer:
        """The status that the shop answers with."""
        apis = self.world.named("api")
        process = apis[self.world.schedule.chance.randrange(len(apis))]
        name = headers["webhook-id"]
        try:
            event = read_webhook(headers, content, (SECRET,), self.world.record.clock())
        except BadWebhook as wrong:
            self.world.schedule.say(f"webhook {name[:12]} refused: {wrong}")
            return _Answer(401)
        account = self.world.record.accounts[event.payload["data"]["key"]]
        taking = receive(process.payments.engine, account, event)
        told = await process.taken(taking, f"webhook {event.type} {name[:12]}")
        if told is None:
            raise httpx.ReadError("the line went dead")
        return _Answer(told)


async def send_webhooks(world: World) -> None:
    """Send what is due, until the end comes."""
    turns = Turns(world.schedule, "gateway")
    while not world.schedule.calm:
        await turns.take("sends webhooks", LOOP)
        await send_due(world)


async def send_due(world: World) -> int:
    """Send what is due once; how many there were."""
    options = SandboxOptions(webhook_url="http://shop.invalid", webhook_secrets=(SECRET,))
    client = cast("Any", Line(world))
    return await Webhooks(world.record, options)._send_due(client)
