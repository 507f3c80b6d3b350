"""The commands about what a merchant limits and whom it blocks, with their options."""

from __future__ import annotations

from typing import Annotated

import typer

from eci_payments.domain.limits import BlockKind, LimitKind

limits_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What a merchant limits: who may pay or refund how much.",
)
blocks_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Whom a merchant takes no money from."
)

Merchant = Annotated[int, typer.Option(help="Whose.")]
Currency = Annotated[
    str, typer.Argument(help="An ISO 4217 code such as INR: every currency has limits of its own.")
]
Amount = Annotated[str, typer.Argument(help="In major units, such as 5000 or 149.50.")]
Most = Annotated[str | None, typer.Option("--amount", help="At most so much together, in major units.")]
Charges = Annotated[int | None, typer.Option(min=0, max=1_000_000, help="At most so many charges.")]
Hours = Annotated[float, typer.Option(help="How far back is counted, up to 744.")]
Kind = Annotated[LimitKind, typer.Argument(help="Which limit.")]
Blocked = Annotated[BlockKind, typer.Argument(help="What is blocked.")]


@limits_app.command("charge")
def charge(currency: Currency, amount: Amount, merchant: Merchant = 1) -> None:
    """One charge is at most this, also where MAX_CHARGE_AMOUNT would allow more."""
    from eci_payments.cli import limits as command

    command.set_one(merchant, LimitKind.CHARGE, currency, amount)


@limits_app.command("user")
def user(
    currency: Currency,
    amount: Most = None,
    charges: Charges = None,
    hours: Hours = 24,
    merchant: Merchant = 1,
) -> None:
    """What one user is charged within some hours, as an amount, a number of charges, or both."""
    from eci_payments.cli import limits as command

    command.set_one(merchant, LimitKind.USER, currency, amount, charges, hours)


@limits_app.command("card")
def card(
    currency: Currency,
    amount: Most = None,
    charges: Charges = None,
    hours: Hours = 24,
    merchant: Merchant = 1,
) -> None:
    """The same for one card, whoever uses it; needs CARD_FINGERPRINT_KEY."""
    from eci_payments.cli import limits as command

    command.set_one(merchant, LimitKind.CARD, currency, amount, charges, hours)


@limits_app.command("refund-approval")
def refund_approval(currency: Currency, amount: Amount, merchant: Merchant = 1) -> None:
    """What is refunded of one payment beyond this amount needs another API key's approval; 0: all of it."""
    from eci_payments.cli import limits as command

    command.set_one(merchant, LimitKind.REFUND_APPROVAL, currency, amount)


@limits_app.command("list")
def list_limits(merchant: Merchant = 1) -> None:
    """List a merchant's limits."""
    from eci_payments.cli import limits as command

    command.show(merchant)


@limits_app.command("remove")
def remove_limit(kind: Kind, currency: Currency, merchant: Merchant = 1) -> None:
    """Let a limit hold no longer."""
    from eci_payments.cli import limits as command

    command.remove(merchant, kind, currency)


@blocks_app.command("add")
def add_block(
    kind: Blocked,
    value: Annotated[
        str,
        typer.Argument(
            help="The user id, the UPI address, the card number's first six digits; of a card, a payment's id."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why; it stands in the list and in the trail.")],
    merchant: Merchant = 1,
) -> None:
    """Take no charge of this user, card, BIN or UPI address any more. Card numbers are never typed here."""
    from eci_payments.cli import blocks as command

    command.add(merchant, kind, value, reason)


@blocks_app.command("list")
def list_blocks(merchant: Merchant = 1) -> None:
    """List whom a merchant blocks, and why."""
    from eci_payments.cli import blocks as command

    command.show(merchant)


@blocks_app.command("remove")
def remove_block(
    subject: Annotated[str, typer.Argument(help="As the list shows it, such as user:42.")],
    merchant: Merchant = 1,
) -> None:
    """Take its charges again."""
    from eci_payments.cli import blocks as command

    command.remove(merchant, subject)
