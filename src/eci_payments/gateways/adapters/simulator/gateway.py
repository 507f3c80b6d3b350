"""The simulator as a gateway in this process: its record is the only thing that it shares with others."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

from eci_payments.domain.methods import PaymentMethod
from eci_payments.gateways.accounts import Narrow, unchanged
from eci_payments.gateways.adapters.simulator.answers import answer_on, declined, listed
from eci_payments.gateways.adapters.simulator.declines import DeclineCode
from eci_payments.gateways.adapters.simulator.entry import State
from eci_payments.gateways.adapters.simulator.instruments import BANKS, WALLETS
from eci_payments.gateways.adapters.simulator.steering import Told, plan_for
from eci_payments.gateways.adapters.simulator.writer import PATIENCE_S, RecordBusy, RecordClosed
from eci_payments.gateways.contract import Capabilities, Listing, NeverSeen, NotSent, Unknown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from eci_payments.gateways.adapters.simulator.record import Recorded, SimulatorRecord
    from eci_payments.gateways.contract import GatewayCall, Inquiry, Listed, Outcome

PAGES = "http://127.0.0.1:8087"
"""Where the customer's pages are when nobody says otherwise."""
AUTHORIZATION_VALID_S = 7 * 86_400.0
"""As the card networks have it for payments over the internet."""
METHODS = frozenset(PaymentMethod) - {PaymentMethod.COD}


class SimulatorGateway:
    """A gateway that is deterministic, honest about what it did, and as unreliable as its caller asks for.

    ``timeout_s`` is how long its callers wait for it; a simulated silence ends after ``silence_s``, so that
    nobody has to. ``slow_s`` is how long a slow answer takes. All in seconds.
    """

    def __init__(
        self,
        *,
        record: SimulatorRecord,
        name: str = "simulator",
        timeout_s: float = 10.0,
        never_seen_after_s: float | None = None,
        silence_s: float = 0.5,
        slow_s: float = 2.0,
        base_url: str | None = None,
        narrow: Narrow = unchanged,
    ) -> None:
        self._name = name
        self._record = record
        self._silence_s = min(silence_s, timeout_s)
        self._slow_s = min(slow_s, timeout_s)
        never_seen_after_s = timeout_s * 1.5 if never_seen_after_s is None else never_seen_after_s
        self._begin_within_s = min(timeout_s, never_seen_after_s, PATIENCE_S)
        self._base_url = base_url or PAGES
        self._capabilities = narrow(
            Capabilities(
                methods=METHODS,
                currencies=None,
                multiple_capture=True,
                inquiry_by_key=True,
                never_seen_after_s=never_seen_after_s,
                authorization_valid_s=dict.fromkeys(METHODS, AUTHORIZATION_VALID_S),
                lists_instruments=True,
                recounts=True,
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
        """Do it once per key. What the record never began is NotSent; what may have been written is Unknown."""
        if plan_for(call.amount_minor).told is Told.UNREACHABLE:
            return NotSent("the connection was refused")
        try:
            recorded = await self._record.take(call, within_s=self._begin_within_s)
        except (RecordBusy, RecordClosed):
            return NotSent("the simulator's record is busy")
        except sqlite3.Error as error:
            return Unknown(f"the simulator's record failed: {type(error).__name__}")
        return await self._told(recorded)

    async def inquire(self, call: GatewayCall) -> Inquiry:
        """What the record knows of this key."""
        try:
            entry = await self._record.look_up(call.key)
        except (RecordBusy, RecordClosed, sqlite3.Error):
            return NotSent("the simulator's record is busy")
        return NeverSeen() if entry is None else answer_on(entry, self._record.clock(), self._base_url)

    async def list_instruments(self) -> Listing:
        """The banks and wallets that have names; every other code is approved as well."""
        return Listing(BANKS, WALLETS)

    async def operations_since(self, since: datetime) -> Sequence[Listed] | NotSent | Unknown:
        """What the record holds since then; not what never arrived."""
        try:
            entries = await asyncio.to_thread(self._record.entries)
        except sqlite3.Error as error:
            return Unknown(f"the simulator's record failed: {type(error).__name__}")
        from_s = since.timestamp()
        return [
            listed(each) for each in entries if each.created_at_s >= from_s and each.state is not State.ABSENT
        ]

    async def close(self) -> None:
        """Give back the record."""
        await asyncio.to_thread(self._record.close)

    async def _told(self, recorded: Recorded) -> Outcome:
        if recorded.told is Told.NOTHING:
            await asyncio.sleep(self._silence_s)
            return Unknown("no answer came")
        if recorded.told is Told.SLOWLY:
            await asyncio.sleep(self._slow_s)
        if recorded.entry is None:
            return declined(recorded.refused or DeclineCode.KEY_REUSED)
        answer = answer_on(recorded.entry, self._record.clock(), self._base_url)
        return Unknown("the request has not arrived") if isinstance(answer, NeverSeen) else answer
