"""The commands about what a merchant limits, with their options."""

from __future__ import annotations

from typing import Annotated

import typer

from eci_payments.domain.limits import LimitKind

limits_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What a merchant limits: who may pay or refund how much.",
)

Merchant = Annotated[int, typer.Option(help="Whose limits.")]
Currency = Annotated[
    str, typer.Argument(help="An ISO 4217 code such as INR: every currency has limits of its own.")
]
Amount = Annotated[str, typer.Argument(help="In major units, such as 5000 or 149.50.")]
Kind = Annotated[LimitKind, typer.Argument(help="Which limit.")]


@limits_app.command("refund-approval")
def refund_approval(currency: Currency, amount: Amount, merchant: Merchant = 1) -> None:
    """What is refunded of one payment beyond this amount needs another API key's approval; 0: all of it."""
    from eci_payments.cli import limits as command  # noqa: PLC0415

    command.set_one(merchant, LimitKind.REFUND_APPROVAL, currency, amount)


@limits_app.command("list")
def list_limits(merchant: Merchant = 1) -> None:
    """List a merchant's limits."""
    from eci_payments.cli import limits as command  # noqa: PLC0415

    command.show(merchant)


@limits_app.command("remove")
def remove_limit(kind: Kind, currency: Currency, merchant: Merchant = 1) -> None:
    """Let a limit hold no longer."""
    from eci_payments.cli import limits as command  # noqa: PLC0415

    command.remove(merchant, kind, currency)
