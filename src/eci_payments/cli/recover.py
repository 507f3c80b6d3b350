"""``eci-payments recover``: after a restore, the gateways are asked about everything since, then charges begin."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from eci_payments import bootstrap
from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.opening import located, ready, settings_for_service
from eci_payments.cli.owning import act
from eci_payments.cli.processes import closing
from eci_payments.domain.ids import SINGLE_SHOP
from eci_payments.gateway_accounts import configured_gateways
from eci_payments.recovery.restore import AfterRestore, Report
from eci_payments.store import restore_gate
from eci_payments.store.admin_events import record_one

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eci_payments.bootstrap import Service
    from eci_payments.store.restore_gate import Gate


def run(since: str | None, checked: Sequence[str], reason: str | None) -> int:
    """Close the gate where ``since`` is given, ask, report, and open it when nothing is left; 1 until then."""
    if checked and not (reason or "").strip():
        raise CommandError("--checked needs --reason: who looked where, and what was found", WRONG_SETTING)
    report = asyncio.run(_run(_time(since), checked, reason or ""))
    if report is None:
        typer.echo("Nothing is being recovered from a restore; name the time of the backup with --since.")
        return 0
    _tell(report)
    return 0 if report.is_done else 1


async def _run(since: datetime | None, checked: Sequence[str], reason: str) -> Report | None:
    settings = settings_for_service()
    async with located(settings) as place:
        start = await ready(place)
        gateways = configured_gateways(settings, challenge_url=settings.simulator_url)
        async with closing(bootstrap.build(settings, start.database_url, gateways)) as service:
            gate = await _gate(service, since)
            if gate is None:
                return None
            report = await AfterRestore(service.payments, gate, checked).run()
            await _conclude(service, report, checked, reason)
            return report


async def _gate(service: Service, since: datetime | None) -> Gate | None:
    async with service.database.write() as session:
        if since is None:
            return await restore_gate.read(session)
        gate = await restore_gate.close(session, since)
        await record_one(
            session, act(SINGLE_SHOP, "recovery after a restore", f"since {gate.since.isoformat()}", "begun")
        )
        return gate


async def _conclude(service: Service, report: Report, checked: Sequence[str], reason: str) -> None:
    async with service.database.write() as session:
        for name in checked:
            await record_one(
                session, act(SINGLE_SHOP, "recovery after a restore", f"{name}: {reason}", "checked by hand")
            )
        if report.is_done:
            await restore_gate.reopen(session)
            await record_one(session, act(SINGLE_SHOP, "recovery after a restore", "charges begin again"))


def _tell(report: Report) -> None:
    typer.echo(
        f"Asked about {report.asked} open operations; the gateways list {report.found} that were not here,"
        f" {report.written} of them are now."
    )
    if report.unasked:
        print(f"{report.unasked} open operations could not be asked about: run this again.", file=sys.stderr)
    for name, why in report.unsettled.items():
        print(f"{name}: {why}", file=sys.stderr)
    if report.unsettled:
        print(
            "Look at these, then name each with --checked and say with --reason what you found.",
            file=sys.stderr,
        )
    typer.echo("Charges begin again." if report.is_done else "Nothing begins yet.")


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError("--since must be a time like 2026-11-25T03:00:00Z", WRONG_SETTING) from None
    if since.tzinfo is None:
        raise CommandError("--since needs its time zone, for instance Z", WRONG_SETTING)
    return since
