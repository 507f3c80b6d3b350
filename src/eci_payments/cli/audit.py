"""``eci-payments audit``: the trail of acts and refusals, and the seals that prove the trail of payments."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import typer

from eci_payments.cli.opening import opened
from eci_payments.settings import load
from eci_payments.store.admin_events import RecordedEvent, newest_events
from eci_payments.store.exported_seals import export_seals


def export_seal() -> None:
    """Print them."""
    typer.echo(asyncio.run(_export()).decode())


def show_events(merchant: int, limit: int) -> None:
    """Print them, newest first."""
    for each in asyncio.run(_events(merchant, limit)):
        typer.echo(_line(each))


async def _export() -> bytes:
    async with opened(load(), "audit") as database, database.read() as session:
        return await export_seals(session)


async def _events(merchant: int, limit: int) -> Sequence[RecordedEvent]:
    async with opened(load(), "audit") as database, database.read() as session:
        return await newest_events(session, merchant, limit)


def _line(recorded: RecordedEvent) -> str:
    event = recorded.event
    times = f"  {recorded.times} times" if recorded.times > 1 else ""
    return (
        f"{recorded.occurred_at:%Y-%m-%dT%H:%M:%SZ}  {event.actor}  {event.action}  {event.subject}  {event.result}"
        f"  from {event.origin or 'nowhere known'}  {recorded.correlation_id or '-'}{times}"
    )
