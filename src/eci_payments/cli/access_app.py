"""The commands about who may come in, with their options."""

from __future__ import annotations

from typing import Annotated

import typer

access_app = typer.Typer(rich_markup_mode=None)
merchants_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Whose payments there are.")
keys_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="API keys: who may do what.")
access_app.add_typer(merchants_app, name="merchants")
access_app.add_typer(keys_app, name="keys")
audit_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Who did what, and the proof of it."
)
access_app.add_typer(audit_app, name="audit")

Merchant = Annotated[int, typer.Option(help="Whose keys.")]
KeyId = Annotated[str, typer.Argument(help="The key's id, or its beginning as the list shows it.")]


@merchants_app.command("create")
def create_merchant(name: Annotated[str, typer.Argument(help="What people call it.")]) -> None:
    """Make a merchant. What belongs to one, no key of another ever sees."""
    from eci_payments.cli import merchants as command

    command.create(name)


@merchants_app.command("list")
def list_merchants() -> None:
    """List the merchants."""
    from eci_payments.cli import merchants as command

    command.show()


@keys_app.command("create")
def create_key(
    scopes: Annotated[
        str,
        typer.Option(
            help="What it may do: charge, refund, read, operate, admin, with commas between; or all."
        ),
    ],
    name: Annotated[str, typer.Option(help="Who will use it.")] = "",
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days after which it ends; never if not given.")
    ] = None,
    per_second: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="Its own rate limit; RATE_LIMIT_PER_KEY if not given."),
    ] = None,
    merchant: Merchant = 1,
) -> None:
    """Make a key and print it, once: only its hash is stored."""
    from eci_payments.cli import keys as command

    command.create(merchant, name, scopes, expires_days, per_second)


@keys_app.command("list")
def list_keys(merchant: Merchant = 1) -> None:
    """List a merchant's keys: what they may do, how often, until when, when they were last used."""
    from eci_payments.cli import keys as command

    command.show(merchant)


@keys_app.command("rotate")
def rotate_key(
    key_id: KeyId,
    grace_hours: Annotated[
        float, typer.Option(min=0, max=720, help="Hours for which the old one still works.")
    ] = 24,
    expires_days: Annotated[
        int | None,
        typer.Option(min=1, max=3650, help="Days after which the new one ends; as many as the old one had."),
    ] = None,
    merchant: Merchant = 1,
) -> None:
    """Make a key that may do the same for as long, and let the old one end after a while."""
    from eci_payments.cli import keys as command

    command.rotate(merchant, key_id, grace_hours, expires_days)


@keys_app.command("limit")
def limit_key(
    key_id: KeyId,
    per_second: Annotated[
        int,
        typer.Option(
            min=0, max=1_000_000, help="Requests per second, over 10 s; 0: as RATE_LIMIT_PER_KEY says."
        ),
    ],
    merchant: Merchant = 1,
) -> None:
    """Give a key a rate limit of its own. It holds everywhere within 5 seconds."""
    from eci_payments.cli import keys as command

    command.limit(merchant, key_id, per_second or None)


@keys_app.command("revoke")
def revoke_key(key_id: KeyId, merchant: Merchant = 1) -> None:
    """End a key for good, everywhere within 5 seconds."""
    from eci_payments.cli import keys as command

    command.revoke(merchant, key_id)


@audit_app.command("export-seal")
def export_seal() -> None:
    """Print the newest seals, to be kept where nobody who can write the database can write."""
    from eci_payments.cli import audit as command

    command.export_seal()


@audit_app.command("events")
def list_events(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 50,
    merchant: Annotated[int, typer.Option(help="Whose.")] = 1,
) -> None:
    """List administrative acts, operators' moves and refused access: who, what, from where, how it ended."""
    from eci_payments.cli import audit as command

    command.show_events(merchant, limit)
