"""The commands about gateway accounts and routing, with their options."""

from __future__ import annotations

from typing import Annotated

import typer

gateways_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Gateway accounts and routing: check, list, try a charge.",
)


@gateways_app.command("check")
def check() -> None:
    """Read GATEWAYS or GATEWAYS_FILE as a start would, credentials included; exits 2 with what is wrong."""
    from eci_payments.cli import gateways as command

    command.check()


@gateways_app.command("list")
def list_accounts() -> None:
    """List the accounts, what each can do and whose it is, and the rules in their order."""
    from eci_payments.cli import gateways as command

    command.show()


@gateways_app.command("route")
def route(
    method: Annotated[str, typer.Option(help="CREDIT_CARD, DEBIT_CARD, UPI, WALLET or NET_BANKING.")],
    amount: Annotated[str, typer.Option(help="In major units, such as 499.50.")],
    currency: Annotated[str | None, typer.Option(help="DEFAULT_CURRENCY if not given.")] = None,
    bin_digits: Annotated[
        str, typer.Option("--bin", help="The first 6 to 8 digits of the card number.")
    ] = "",
    merchant: Annotated[int, typer.Option(help="Whose charge.")] = 1,
) -> None:
    """Say which rule decides about such a charge and which accounts would be asked, in their order; asks nobody."""
    from eci_payments.cli import gateways as command

    command.route(method, amount, currency, bin_digits, merchant)


@gateways_app.command("schema")
def schema() -> None:
    """Print the JSON Schema of the gateways file."""
    from eci_payments.cli import gateways as command

    command.schema()
