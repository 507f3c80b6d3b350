"""The simulator's own record: one SQLite file that all processes share, written before anything is answered."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eci_payments.domain.quick import quick
from eci_payments.gateways.adapters.simulator import engine
from eci_payments.gateways.adapters.simulator.declines import DeclineCode
from eci_payments.gateways.adapters.simulator.disputes import Dispute, decided, listed_disputes, raised
from eci_payments.gateways.adapters.simulator.entry import CHARGING, Entry, State
from eci_payments.gateways.adapters.simulator.movements import Movement, Totals, movement_of, summed
from eci_payments.gateways.adapters.simulator.notices import (
    Announcing,
    Notice,
    NoticeFault,
    announce,
    announce_dispute,
    claim,
    listed,
    settle,
)
from eci_payments.gateways.adapters.simulator.pace import Pace
from eci_payments.gateways.adapters.simulator.steering import Told
from eci_payments.gateways.adapters.simulator.table import (
    MEMORY,
    book_of,
    every_entry,
    find,
    find_by_reference,
    opened,
    put,
)
from eci_payments.gateways.adapters.simulator.writer import PATIENCE_S, Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from eci_payments.gateways.contract import GatewayCall


@quick
@dataclass(frozen=True, slots=True)
class Recorded:
    """What the record holds of a call, and how its sender hears of it. ``refused``: the key was reused."""

    entry: Entry | None
    told: Told = Told.AT_ONCE
    refused: DeclineCode | None = None


class SimulatorRecord:
    """Takes calls once per key, inquiries, and customers' choices; and lets verifiers read what was moved.

    ``clock`` gives seconds since 1970. ``":memory:"`` instead of a path lives as long as the object.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        pace: Pace | None = None,
        announcing: Announcing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if str(path) != MEMORY:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.pace = pace or Pace()
        self.announcing = announcing
        self.clock = clock
        self._writer = Writer(path)

    async def take(
        self, call: GatewayCall, *, within_s: float = PATIENCE_S, fault: NoticeFault | None = None
    ) -> Recorded:
        """Do what is asked, once per key: written when this returns, and never begun later than ``within_s``.

        Raises what `Writer.run` raises.
        """
        return await self._writer.run(lambda connection: self._take(connection, call, fault), within_s)

    async def look_up(self, key: str) -> Entry | None:
        """What became of the operation with this key. One that keeps silent has one inquiry less to go after it."""
        return await self._writer.run(lambda connection: self._look(connection, key))

    async def waiting(self, reference: str) -> Entry | None:
        """The operation with this reference of the gateway, whatever its state."""
        return await self._writer.run(lambda connection: self._by_reference(connection, reference))

    async def choose(self, reference: str, *, approved: bool) -> Entry | None:
        """The customer's choice; the first one stands. The operation as it then is, None when there is none."""
        return await self._writer.run(
            lambda connection: self._choose(connection, reference, approved=approved)
        )

    async def refund_elsewhere(self, charge: str, amount_minor: int) -> Entry | None:
        """A refund of the charge with this reference that the shop did not ask for; None without such a charge."""
        return await self._writer.run(lambda connection: self._refund(connection, charge, amount_minor))

    async def raise_dispute(self, charge: str, amount_minor: int, reason: str) -> Dispute | None:
        """A dispute of the charge with this reference; None without such a charge."""
        return await self._writer.run(
            lambda connection: self._dispute(connection, charge, amount_minor, reason)
        )

    async def decide_dispute(self, reference: str, state: str) -> Dispute | None:
        """Won or lost; None when there is none."""
        return await self._writer.run(lambda connection: self._decide(connection, reference, state))

    async def disputes(self) -> list[dict[str, Any]]:
        """All of them, for people and tests."""
        return await self._writer.run(listed_disputes)

    async def claim_notices(self) -> list[Notice]:
        """Notices to send now; each comes again later unless it is settled."""
        return await self._writer.run(lambda connection: claim(connection, self.clock()))

    async def settle_notice(self, event_id: str, answer: str, *, done: bool) -> None:
        """What the shop answered to one; ``done``: it is never sent again."""
        await self._writer.run(lambda connection: settle(connection, event_id, answer, done=done))

    async def notices(self, limit: int = 100) -> list[dict[str, Any]]:
        """The newest notices and what was answered, for people and tests."""
        return await self._writer.run(lambda connection: listed(connection, self.clock(), limit))

    def close(self) -> None:
        """Give back the thread and the file."""
        self._writer.close()

    def entries(self) -> list[Entry]:
        """Every operation as it stands now, oldest first. Blocks: for tests and verifiers."""
        if self._writer.memory is not None:
            return list(every_entry(self._writer.memory, self.clock()))
        with closing(opened(self.path)) as connection:
            return list(every_entry(connection, self.clock()))

    def movements(self) -> list[Movement]:
        """What was approved, oldest first: at most one movement per key of ours. Blocks."""
        return [movement for entry in self.entries() if (movement := movement_of(entry)) is not None]

    def totals(self, currency: str) -> Totals:
        """All that was moved in this currency. Blocks."""
        return summed(movement for movement in self.movements() if movement.currency == currency)

    def charges_by_transaction(self) -> dict[str, Totals]:
        """All that was moved for each of the merchant's transaction ids. Blocks."""
        found: dict[str, list[Movement]] = defaultdict(list)
        for movement in self.movements():
            found[movement.transaction_id].append(movement)
        return {transaction_id: summed(movements) for transaction_id, movements in found.items()}

    def _put(
        self, connection: sqlite3.Connection, entry: Entry, now_s: float, fault: NoticeFault | None = None
    ) -> None:
        put(connection, entry)
        if self.announcing is not None:
            announce(connection, entry, now_s, self.announcing, fault)

    def _take(self, connection: sqlite3.Connection, call: GatewayCall, fault: NoticeFault | None) -> Recorded:
        now_s = self.clock()
        found = find(connection, call.key, now_s)
        if found is not None and not engine.is_same(found, call):
            return Recorded(None, refused=DeclineCode.KEY_REUSED)
        if found is not None and found.state is not State.ABSENT:
            return Recorded(self._heard(connection, found, now_s))
        acts = call.kind not in CHARGING
        book = book_of(connection, call.parent_key, call.parent_reference, now_s) if acts else None
        if book is not None and found is not None:
            book = replace(book, parts=tuple(part for part in book.parts if part.key != call.key))
        decide = engine.decide if found is None else engine.arrive
        decision = decide(call, book, now_s, self.pace)
        self._put(connection, decision.entry, now_s, fault)
        return Recorded(decision.entry, decision.plan.told)

    def _refund(self, connection: sqlite3.Connection, charge: str, amount_minor: int) -> Entry | None:
        now_s = self.clock()
        book = book_of(connection, None, charge, now_s)
        if book is None or not book.captured_minor:
            return None
        call = engine.refund_of(book.root, f"dashboard-{secrets.token_hex(12)}", amount_minor)
        decision = engine.arrive(call, book, now_s, self.pace)
        self._put(connection, decision.entry, now_s)
        return decision.entry

    def _dispute(
        self, connection: sqlite3.Connection, charge: str, amount_minor: int, reason: str
    ) -> Dispute | None:
        now_s = self.clock()
        book = book_of(connection, None, charge, now_s)
        if book is None or not book.captured_minor:
            return None
        dispute = raised(connection, book.root.key, amount_minor, reason)
        self._announce(connection, dispute, now_s)
        return dispute

    def _decide(self, connection: sqlite3.Connection, reference: str, state: str) -> Dispute | None:
        dispute = decided(connection, reference, state)
        if dispute is not None:
            self._announce(connection, dispute, self.clock())
        return dispute

    def _announce(self, connection: sqlite3.Connection, dispute: Dispute, now_s: float) -> None:
        if self.announcing is not None:
            announce_dispute(connection, dispute, now_s)

    def _look(self, connection: sqlite3.Connection, key: str) -> Entry | None:
        now_s = self.clock()
        found = find(connection, key, now_s)
        return None if found is None else self._heard(connection, found, now_s)

    def _heard(self, connection: sqlite3.Connection, entry: Entry, now_s: float) -> Entry:
        if entry.silent_left:
            put(connection, replace(entry, silent_left=entry.silent_left - 1))
        return self._as_its_book(connection, entry, now_s)

    def _by_reference(self, connection: sqlite3.Connection, reference: str) -> Entry | None:
        now_s = self.clock()
        found = find_by_reference(connection, reference, now_s)
        return None if found is None else self._as_its_book(connection, found, now_s)

    def _as_its_book(self, connection: sqlite3.Connection, entry: Entry, now_s: float) -> Entry:
        """A charge that waits for its customer may have been cancelled by another operation."""
        if entry.state is not State.ACTION:
            return entry
        book = book_of(connection, entry.key, None, now_s)
        return entry if book is None else replace(entry, state=book.state)

    def _choose(self, connection: sqlite3.Connection, reference: str, *, approved: bool) -> Entry | None:
        now_s = self.clock()
        found = self._by_reference(connection, reference)
        if found is None or found.state is not State.ACTION:
            return found
        chosen = engine.choose(found, now_s, self.pace, approved=approved)
        self._put(connection, chosen, now_s)
        self._overtake_cancellations(connection, chosen, now_s)
        return chosen

    def _overtake_cancellations(self, connection: sqlite3.Connection, charge: Entry, now_s: float) -> None:
        """A cancellation that is still under way comes too late."""
        book = book_of(connection, charge.key, None, now_s)
        for part in book.parts if book is not None else ():
            if part.may_yet:
                code = DeclineCode.ALREADY_COMPLETED
                late = replace(part, turns_at_s=None, turns_into=None, turn_code=None)
                self._put(connection, replace(late, state=State.DECLINED, code=code), now_s)
