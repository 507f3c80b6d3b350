"""What the steps need to run: the lane, the gateways, the rules. Built once per process, by bootstrap or by a test."""

from __future__ import annotations

import asyncio
import logging
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from eci_payments.gateways.contract import NotSent, Unknown
from eci_payments.gateways.echo import without_card_data
from eci_payments.gateways.guard import Turned
from eci_payments.observability.spans import innermost
from eci_payments.store.lane import DatabaseAway

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from eci_payments.domain.change import Change
    from eci_payments.gateways.contract import GatewayCall
    from eci_payments.gateways.routing import Gateways
    from eci_payments.operations.rules import Rules
    from eci_payments.store.ids import Ids
    from eci_payments.store.lane import Lane
    from eci_payments.store.session import Database
    from eci_payments.store.units import KeyTaken, Unit

log = logging.getLogger(__name__)
T = TypeVar("T")

REFUSED = "Refused"
"""The outcome, in the metrics, of a call that its account's guard did not let through."""
CONCLUSION_TRIES_S = (0.1, 0.3, 1.0, 3.0)
"""The waits between tries to commit an outcome while the database is away; after them recovery learns it anew."""


def _unwatched(_point: str) -> None:
    """Nobody watches the steps outside of tests."""


def _unmeasured(_gateway: str, _call: str, _outcome: str, _seconds: float) -> None:
    """Nobody measures the calls."""


@dataclass(frozen=True, slots=True)
class Engine:
    """``reached`` is told of each step before and after it runs, so that a crash can be placed between any two.

    ``measured`` is told of each gateway call: account, what was asked, the outcome's name, and seconds.
    """

    database: Database
    lane: Lane
    ids: Ids
    gateways: Gateways
    rules: Rules
    reached: Callable[[str], None] = field(default=_unwatched)
    measured: Callable[[str, str, str, float], None] = field(default=_unmeasured)

    async def ask(
        self,
        gateway: str,
        what: str,
        call: Coroutine[object, object, T],
        about: GatewayCall | None = None,
        *,
        timeout_s: float | None = None,
        send_before: float | None = None,
    ) -> T | NotSent | Unknown:
        """One gateway call, bounded in time and by its account's guard.

        What the guard does not let through was not sent; whatever goes wrong on the way is an unknown outcome.
        ``send_before``, on the event loop's clock, bounds the wait for a place; ``timeout_s`` None: as the rules say.

        What the gateway repeats of a card that the call is ``about`` ends here: nothing further in sees it.
        """
        loop = asyncio.get_running_loop()
        begun, guard = loop.time(), self.gateways.guard(gateway)
        try:
            taken = await guard.enter(what, None if send_before is None else send_before - begun)
        except BaseException:
            call.close()
            raise
        if isinstance(taken, Turned):
            call.close()
            self._told(gateway, what, REFUSED, loop.time() - begun, failed=True)
            return NotSent(taken.reason)
        outcome: T | NotSent | Unknown | None = None
        try:
            said = await self._answered(gateway, what, call, timeout_s or self.rules.gateway_timeout_s)
            outcome = said if about is None else without_card_data(said, about)
        finally:
            failed = isinstance(outcome, NotSent | Unknown)
            guard.leave(taken, well=None if outcome is None else not failed)
        self._told(gateway, what, type(outcome).__name__, loop.time() - begun, failed=failed)
        return outcome

    @staticmethod
    async def _answered(
        gateway: str, what: str, call: Coroutine[object, object, T], timeout_s: float
    ) -> T | Unknown:
        try:
            async with asyncio.timeout(timeout_s):
                return await call
        except TimeoutError:
            return Unknown(f"no answer within {timeout_s:g} s")
        except Exception as error:  # noqa: BLE001 - whatever it is, the gateway may have done it
            failed = {"error": type(error).__name__, "at": _place_of(error)}  # its words may be the gateway's
            log.error("gateway adapter failed", extra={"gateway": gateway, "call": what} | failed)  # noqa: TRY400 - as above
            return Unknown(f"the adapter failed: {type(error).__name__}")

    def _told(self, gateway: str, what: str, outcome: str, seconds: float, *, failed: bool) -> None:
        self.measured(gateway, what, outcome, seconds)
        told = innermost()
        told.tell(gateway=gateway, call=what, outcome=outcome)
        if failed:
            told.fail(outcome)

    async def submit_surely(self, unit: Unit) -> Change | KeyTaken:
        """Have an outcome written, over a short absence of the database. Raises DatabaseAway after a longer one."""
        for wait_s in CONCLUSION_TRIES_S:
            try:
                return await self.lane.submit(unit, bounded=False)
            except DatabaseAway:
                log.warning("the database is away; an outcome waits to be written", extra={"wait_s": wait_s})
                await asyncio.sleep(wait_s)
        return await self.lane.submit(unit, bounded=False)


def _place_of(error: Exception) -> str:
    """The file and line where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
