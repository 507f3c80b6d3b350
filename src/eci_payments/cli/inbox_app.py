"""The commands about what gateways told, with their options."""

from __future__ import annotations

from typing import Annotated

import typer

inbox_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What gateways told by webhook: list it, look at it, apply it again.",
)

Merchant = Annotated[int, typer.Option(help="Whose events.")]
InboxId = Annotated[int, typer.Argument(help="The event's id, as the list shows it.")]


@inbox_app.command("list")
def list_inbox(
    state: Annotated[str | None, typer.Option(help="PENDING, APPLIED, IGNORED, MISMATCH or PARKED.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    merchant: Merchant = 1,
) -> None:
    """List the events, with what became of each and why."""
    from eci_payments.cli import inbox as command

    command.list_them(merchant, state, limit, as_json=as_json)


@inbox_app.command("show")
def show_event(inbox_id: InboxId, merchant: Merchant = 1) -> None:
    """Show one event as JSON: what it says in our words, and the gateway's own, masked."""
    from eci_payments.cli import inbox as command

    command.show(merchant, inbox_id)


@inbox_app.command("replay")
def replay(
    inbox_id: Annotated[int | None, typer.Argument(help="The event to apply again.")] = None,
    held: Annotated[bool, typer.Option("--held", help="Every one that is PARKED or MISMATCH.")] = False,
    merchant: Merchant = 1,
) -> None:
    """Have events applied again by a worker. Nothing can be applied twice: what is known already changes nothing."""
    from eci_payments.cli import inbox as command

    command.replay(merchant, inbox_id, every=held)


@inbox_app.command("dismiss")
def dismiss(
    inbox_id: InboxId,
    reason: Annotated[str, typer.Option(help="How you know that nothing is to be done.")],
    merchant: Merchant = 1,
) -> None:
    """End an event that waits for a person, without applying it. Your reason is kept, and so is your name."""
    from eci_payments.cli import inbox as command

    command.dismiss(merchant, inbox_id, reason)
