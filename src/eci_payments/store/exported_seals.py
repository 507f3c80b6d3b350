"""Seals that are kept elsewhere: whoever can rewrite the whole database cannot rewrite those.

An exported seal says what a chain of each merchant was when it was exported. Held against the chain of today it shows
whether all up to that row is still what it was, and so also a tail that was cut off, and a chain made anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from eci_payments.store.checks.seals import CHECK, seal_name
from eci_payments.store.seal_chain import ACTS, PAYMENTS, Chain
from eci_payments.store.session import run

if TYPE_CHECKING:
    from eci_payments.store.checks.findings import Report
    from eci_payments.store.session import ReadSession

FORMAT: Literal["eci-payments audit seals, 1"] = "eci-payments audit seals, 1"


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest seal of one merchant's payments. ``hash`` is hexadecimal."""

    merchant_id: int
    position: int
    transaction_log_id: int
    hash: str


class ActSeal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest seal of one merchant's administrative events."""

    merchant_id: int
    position: int
    event_id: int
    hash: str


class Export(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest seals of every merchant at one moment. Exports of earlier releases have no ``acts``."""

    format: Literal["eci-payments audit seals, 1"]
    exported_at: str
    seals: list[Seal]
    acts: list[ActSeal] = []

    @property
    def all(self) -> list[Seal | ActSeal]:
        """Every seal of it."""
        return [*self.seals, *self.acts]


class NotAnExport(Exception):
    """A file that is no export; the message says so in one line."""


async def export_seals(session: ReadSession) -> bytes:
    """The newest seals as JSON, to be kept where this database's owner cannot write."""
    (now,) = await run(session, 'SELECT to_char(now(), \'YYYY-MM-DD"T"HH24:MI:SS"Z"\') AS text')
    seals = [
        Seal(row.merchant_id, row.position, row.id, row.hash.hex())
        for row in await _newest(session, PAYMENTS)
    ]
    acts = [
        ActSeal(row.merchant_id, row.position, row.id, row.hash.hex()) for row in await _newest(session, ACTS)
    ]
    return msgspec.json.format(msgspec.json.encode(Export(FORMAT, now.text, seals, acts)), indent=2)


def read_export(text: bytes) -> Export:
    """An export as it was written. Raises NotAnExport."""
    try:
        return msgspec.json.decode(text, type=Export)
    except msgspec.DecodeError:
        raise NotAnExport("the file is no export of `eci-payments audit export-seal`") from None


async def check_exported(session: ReadSession, report: Report, seals: Sequence[Seal | ActSeal]) -> None:
    """Hold the chains of today against seals of another day."""
    for seal in seals:
        chain, sealed_id = (
            (PAYMENTS, seal.transaction_log_id) if isinstance(seal, Seal) else (ACTS, seal.event_id)
        )
        where = f"{seal_name(chain, seal.position)} of merchant {seal.merchant_id}"
        sql = f"SELECT hash FROM {chain.seals} WHERE merchant_id = $1 AND position = $2"
        rows = await run(session, sql, seal.merchant_id, seal.position)
        if not rows:
            what = f"was exported for {chain.noun} {sealed_id} and is not there: the tail was cut off"
            report.add(CHECK, where, what)
        elif rows[0].hash.hex() != seal.hash:
            what = (
                f"is not the one that was exported for {chain.noun} {sealed_id}:"
                " something at or before it was changed and the chain made anew"
            )
            report.add(CHECK, where, what)
        report.counted["exported seals"] += 1


async def _newest(session: ReadSession, chain: Chain) -> Sequence[Any]:
    return await run(
        session,
        f"SELECT DISTINCT ON (merchant_id) merchant_id, position, {chain.rows.key} AS id, hash FROM {chain.seals}"
        " ORDER BY merchant_id, position DESC",
    )
