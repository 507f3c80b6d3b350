"""``eci-payments verify``: the proof that the books are right."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from eci_payments import bootstrap
from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.opening import opened
from eci_payments.delivery.peers import subscription
from eci_payments.settings import load
from eci_payments.settings.declared import PEERS
from eci_payments.store.exported_seals import ActSeal, Export, NotAnExport, Seal, read_export
from eci_payments.store.verify import verify, verify_audit

if TYPE_CHECKING:
    from eci_payments.store.verify import Report


def run(*, audit: bool = False, seal: Path | None = None) -> int:
    """Verify, and say what was looked at or what is broken; the exit code. ``audit``: the trails' hash chains only."""
    if seal is not None and not audit:
        raise CommandError("--seal is for --audit", WRONG_SETTING)
    exported = _exported(seal).all if seal else []
    report = asyncio.run(_verify_audit(exported) if audit else _verify())
    for finding in report.findings:
        print(f"{finding.check}: {finding.where}: {finding.what}", file=sys.stderr)
    if report.broken > len(report.findings):
        print(f"and {report.broken - len(report.findings)} more", file=sys.stderr)
    looked_at = ", ".join(f"{count} {name}" for name, count in sorted(report.counted.items()))
    if report.ok:
        unseen = "" if audit else _unseen()
        typer.echo(f"The books are right: {looked_at or 'there is nothing in them yet'}.{unseen}")
        return 0
    print(f"The books are broken in {report.broken} places; looked at {looked_at}.", file=sys.stderr)
    return 1


def _unseen() -> str:
    """The peers that it cannot be said of whether they were told: which there are, only their addresses say."""
    settings = load()
    without = [name for name in PEERS if name not in settings.peers]
    if not without:
        return ""
    each = (
        f"whether {without[0]} was told" if len(without) == 1 else f"whether {', '.join(without)} were told"
    )
    return f" Not looked at, for want of {'its address' if len(without) == 1 else 'their addresses'}: {each}."


def _exported(path: Path) -> Export:
    try:
        return read_export(path.read_bytes())
    except (OSError, NotAnExport) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CommandError(f"{path}: {why}", WRONG_SETTING) from None


async def _verify_audit(exported: Sequence[Seal | ActSeal]) -> Report:
    async with opened(load(), "verify") as database:
        return await verify_audit(database, exported)


async def _verify() -> Report:
    settings = load()
    subscriptions = [subscription(peer) for peer in bootstrap.configured_peers(settings)]
    async with opened(settings, "verify") as database:
        return await verify(database, subscriptions)
