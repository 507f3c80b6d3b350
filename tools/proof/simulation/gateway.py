"""The gateway of a run: the simulator's own record in memory, and all that can go wrong on the way to it."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eci_payments.domain.ids import GatewayKey
from eci_payments.gateways.accounts import Account
from eci_payments.gateways.adapters.simulator.gateway import SimulatorGateway
from eci_payments.gateways.adapters.simulator.notices import Announcing, NoticeFault
from eci_payments.gateways.adapters.simulator.pace import Pace
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from eci_payments.gateways.adapters.simulator.steering import Told, plan_for
from eci_payments.gateways.contract import NeverSeen, NotSent, Prepared, Unknown
from eci_payments.gateways.guard import Guard
from proof.simulation.timed import BEGINNING

if TYPE_CHECKING:
    from eci_payments.gateways.contract import Capabilities, GatewayCall, Inquiry, Outcome, Preparation
    from proof.simulation.plan import Fault
    from proof.simulation.turns import Schedule, Turns

TIMEOUT_S, NEVER_SEEN_AFTER_S = 10.0, 15.0
HANGS_S = 3600.0
"""Longer than any time-out: whoever waits gives up."""
BREAKER_FAILURES = 6
SECRET = "whsec_" + base64.b64encode(b"the simulation's own secret").decode()
PACE = Pace(settle_s=5.0, deemed_s=90.0, late_s=100.0, action_s=900.0, silent_inquiries=3)


class Record(SimulatorRecord):
    """What the gateways know, by simulated time; ``accounts`` tells which of them each key was sent to."""

    def __init__(self, schedule: Schedule) -> None:
        began = BEGINNING.timestamp()
        super().__init__(
            ":memory:", pace=PACE, announcing=Announcing(), clock=lambda: began + schedule.moments.now_s
        )
        self.accounts: dict[str, str] = {}


def account(turns: Turns, record: Record, name: str, *, by_key: bool) -> Account:
    """One gateway account, as one process has it."""
    made = (FaultyGateway if by_key else FaultyByIdGateway)(turns, record, name)
    whole = Account(made, webhook_secrets=(SECRET,))
    guard = Guard(name, max_calls=8, breaker_failures=BREAKER_FAILURES, clock=turns.moments.clock)
    whole.__dict__["guard"] = guard  # a cached property: this one keeps simulated time
    return whole


@dataclass
class FaultyGateway:
    """An account whose calls meet the faults of the plan."""

    turns: Turns
    record: Record
    name: str

    def __post_init__(self) -> None:
        self._inner = SimulatorGateway(
            record=self.record,
            name=self.name,
            timeout_s=TIMEOUT_S,
            never_seen_after_s=NEVER_SEEN_AFTER_S,
            silence_s=TIMEOUT_S,
            slow_s=2.0,
        )

    @property
    def capabilities(self) -> Capabilities:
        """The simulator's."""
        return self._inner.capabilities

    async def perform(self, call: GatewayCall) -> Outcome:
        """Do it, unless something comes between."""
        await self.turns.take(f"{self.name} {call.kind.value} {call.key[:6]} {call.amount_minor}")
        fault = self.turns.schedule.befalls("call")
        outcome = await (self._befallen(call, fault) if fault else self._done(call))
        self.turns.schedule.say(f"{self.name} {call.kind.value} {call.key[:6]} -> {outcome}")
        return outcome

    async def _befallen(self, call: GatewayCall, fault: Fault) -> Outcome:
        match fault.how:
            case "refused":
                return NotSent("nobody listens")
            case "cut before" | "error then success":
                return Unknown("status 500" if fault.how.startswith("error") else "the line was cut")
            case "cut after":
                await self._done(call)
                return Unknown("the line was cut")
            case "hang before":
                await asyncio.sleep(HANGS_S)
            case "hang after":
                await self._done(call)
                await asyncio.sleep(HANGS_S)
            case "twice":
                await self._done(call)
            case "late":
                self.turns.schedule.spawn(self._arrives(call, fault.seconds))
                return Unknown("the line was cut")
        return await self._done(call)

    async def _done(self, call: GatewayCall) -> Outcome:
        if plan_for(call.amount_minor).told is Told.UNREACHABLE and not self.turns.schedule.calm:
            return NotSent("the connection was refused")
        self._mine(call)
        fault = self.turns.schedule.befalls("notice")
        recorded = await self.record.take(call, fault=NoticeFault(fault.how) if fault else None)
        return await self._inner._told(recorded)

    async def _arrives(self, call: GatewayCall, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._mine(call)
        taken = await self.record.take(call)
        self.turns.schedule.say(
            f"LATE {call.kind.value} {call.key[:6]} arrives: {taken.entry and taken.entry.state}"
        )

    def _mine(self, call: GatewayCall) -> None:
        """Each key, and each charge with all that is done to it, belongs to one account."""
        for key in (call.key, call.parent_key or call.key):
            there = self.record.accounts.setdefault(key, self.name)
            if there != self.name:
                self.turns.schedule.found.append(
                    f"{call.kind} of {key[:6]} was sent to {self.name}, not {there}"
                )

    async def inquire(self, call: GatewayCall) -> Inquiry:
        """Ask, unless something comes between."""
        await self.turns.take(f"{self.name} inquiry of {call.kind.value} {call.key[:6]}")
        fault = self.turns.schedule.befalls("inquiry")
        if fault is not None and fault.how == "refused":
            return NotSent("nobody listens")
        if fault is not None and fault.how == "hang":
            await asyncio.sleep(HANGS_S)
        said = Unknown("the line was cut") if fault is not None else await self._known(call)
        self.turns.schedule.say(f"{self.name} inquiry of {call.kind.value} {call.key[:6]} -> {said}")
        return said

    async def _known(self, call: GatewayCall) -> Inquiry:
        return (
            await self._inner.inquire(call)
            if self.record.accounts.get(call.key) == self.name
            else NeverSeen()
        )

    async def close(self) -> None:
        """The record outlives every process."""


class FaultyByIdGateway(FaultyGateway):
    """One that knows a charge by its own id only: prepared first, then performed by that id."""

    @property
    def capabilities(self) -> Capabilities:
        """Without inquiry by our key."""
        return replace(super().capabilities, inquiry_by_key=False)

    async def prepare(self, call: GatewayCall) -> Preparation:
        """Make the object; no money moves."""
        await self.turns.take(f"{self.name} prepare {call.key[:6]}")
        fault = self.turns.schedule.befalls("call")
        if fault is not None and fault.how == "refused":
            return NotSent("nobody listens")
        if fault is not None and fault.how.startswith("hang"):
            await asyncio.sleep(HANGS_S)
        return (
            Unknown("the line was cut") if fault is not None else Prepared(f"object-{GatewayKey(call.key)}")
        )

    async def inquire(self, call: GatewayCall) -> Inquiry:
        """By its id; without one there is nothing to ask about."""
        acts = call.parent_key is not None
        return await super().inquire(call) if acts or call.reference is not None else NeverSeen()
