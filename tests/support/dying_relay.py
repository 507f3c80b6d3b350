"""A relay in a process of its own that is killed at one point of its first delivery: for tests that count what is left.

Usage: python dying_relay.py DATABASE_URL PEERS_URL POINT, where POINT is one of `Point`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

from eci_payments.delivery.options import RelayOptions
from eci_payments.delivery.peers import peer
from eci_payments.delivery.relay import Relay
from eci_payments.delivery.sender import Answer, HttpSender
from eci_payments.delivery.shapes import PeerName
from eci_payments.store.session import Database

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eci_payments.delivery.peers import PeerRequest


class Point(StrEnum):
    """Where it dies."""

    CLAIMED = "claimed"
    """The claim is committed, nothing has been sent."""
    SENT = "sent"
    """The peer has answered, the conclusion has not been written."""


class Dying(HttpSender):
    """A sender during whose first call the process is killed."""

    def __init__(self, point: Point) -> None:
        super().__init__(timeout_s=5)
        self._point = point

    async def send(self, request: PeerRequest, headers: Mapping[str, str]) -> Answer:
        """Die before or after the call."""
        if self._point is Point.CLAIMED:
            die()
        answer = await super().send(request, headers)
        die()
        return answer


def die() -> None:
    """As kill -9 does it: nothing is finished, nothing is given back."""
    os.kill(os.getpid(), signal.SIGKILL)


async def main(database_url: str, peers_url: str, point: Point) -> None:
    """Work until killed."""
    relay = Relay(
        Database(database_url),
        [peer(name, peers_url) for name in PeerName],
        RelayOptions(fan_out_idle_s=0.05, courier_idle_s=0.05),
        sender=Dying(point),
    )
    await relay.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Point(sys.argv[3])))
