"""The services that are told, with a journal of what they took, and their outages."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from eci_payments.delivery.sender import Answer
from proof.books import Heard
from proof.simulation.timed import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eci_payments.delivery.peers import PeerRequest
    from proof.simulation.turns import Schedule, Turns

TIMEOUT_S = 5.0


@dataclass
class Peers:
    """All of them. ``journal`` has every call that one took."""

    schedule: Schedule
    journal: list[Heard] = field(default_factory=list)
    outages: dict[str, tuple[str, float]] = field(default_factory=dict)
    """What ails a peer, and until when."""

    def ails(self, peer: str) -> str:
        """How this peer is not well now."""
        how, until_s = self.outages.get(peer, ("", 0.0))
        return how if self.schedule.moments.now_s < until_s and not self.schedule.calm else ""

    def take(self, peer: str, request: PeerRequest) -> None:
        """It has heard it."""
        at = BEGINNING + timedelta(seconds=self.schedule.moments.now_s)
        body = json.loads(request.body)
        self.journal.append(Heard(len(self.journal), peer, request.idempotency_key, body, at))


@dataclass
class FaultySender:
    """One process's way to them."""

    turns: Turns
    peers: Peers

    async def send(self, request: PeerRequest, headers: Mapping[str, str]) -> Answer:  # noqa: ARG002 - not looked at
        """Send it once."""
        peer = request.idempotency_key.rpartition("-")[2]
        asked_s = self.turns.moments.now_s
        await self.turns.take(f"tells {peer} {request.idempotency_key[-12:]}")
        if (
            self.turns.moments.now_s - asked_s > TIMEOUT_S
        ):  # it bounds the way there as well: nothing was sent
            return Answer(None, error=f"no answer within {TIMEOUT_S:g} s")
        ails = self.peers.ails(peer)
        if ails in {"", "500 after", "deaf"}:
            self.peers.take(peer, request)
        if ails:
            self.peers.schedule.say(f"{peer} ails: {ails}")
        match ails:
            case "hang" | "deaf":
                await asyncio.sleep(TIMEOUT_S)
                return Answer(None, error=f"no answer within {TIMEOUT_S:g} s")
            case "refused":
                return Answer(None, error="nobody listens")
            case "500" | "500 after":
                return Answer(500)
        return Answer(200)

    async def close(self) -> None:
        """Nothing is held."""
