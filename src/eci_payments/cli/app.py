"""The commands by name, with their options; what each does lies in the module of its name."""

from __future__ import annotations

import gc
import logging
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from eci_payments import __version__
from eci_payments.cli.access_app import access_app
from eci_payments.cli.errors import FAULT, CommandError, Line, plain_line
from eci_payments.cli.gateways_app import gateways_app
from eci_payments.cli.inbox_app import inbox_app
from eci_payments.cli.limits_app import blocks_app, limits_app

BEGUN = time.monotonic()
"""When this process began, but for the few hundredths of a second until here."""

LOADING_COLLECTED_AFTER = 50_000
"""Objects made and not freed by themselves. Modules stay: looking for garbage among them is a tenth of a start."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A payment service that never loses a rupee. Settings come from the environment; .env.example lists them.",
)
deliveries_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What the other services are told: list it, send it again.",
)
app.add_typer(deliveries_app, name="deliveries")

app.add_typer(access_app)
app.add_typer(gateways_app, name="gateways")
app.add_typer(inbox_app, name="inbox")
app.add_typer(limits_app, name="limits")
app.add_typer(blocks_app, name="blocks")

Host = Annotated[str | None, typer.Option(help="Address to listen on, instead of SERVICE_HOST.")]
Port = Annotated[
    int | None, typer.Option(help="Port to listen on, 0 for a free one; instead of SERVICE_PORT.")
]
PageHost = Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 if not given.")]
PagePort = Annotated[int | None, typer.Option(help="Port to listen on; a free one if not given.")]
Parent = Annotated[int | None, typer.Option(hidden=True, help="End when this process ends.")]
Descriptor = Annotated[int | None, typer.Option(hidden=True, help="An open socket to listen on.")]
GateDescriptor = Annotated[int | None, typer.Option(hidden=True, help="A pipe to wait for.")]
ReadyDescriptor = Annotated[int | None, typer.Option(hidden=True, help="A pipe to write to when ready.")]

ShowLogs = Annotated[bool, typer.Option("--logs", help="Show the processes' logs here, not in files.")]


@app.callback()
def root() -> None:
    """Commands of the payment service."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def demo(logs: ShowLogs = False) -> None:
    """Start everything on this machine: database, service, worker, stand-in peers, the gateway simulator's pages."""
    from eci_payments.cli.demo import command

    raise typer.Exit(command.run(show_logs=logs, begun=BEGUN))


@app.command()
def serve(
    host: Host = None,
    port: Port = None,
    parent: Parent = None,
    fd: Descriptor = None,
    gate_fd: GateDescriptor = None,
) -> None:
    """Run the API. Any number may run over one database."""
    from eci_payments.cli import serve as command

    command.run(host, port, parent, fd, gate_fd)


@app.command()
def work(parent: Parent = None, ready_fd: ReadyDescriptor = None, gate_fd: GateDescriptor = None) -> None:
    """Run what works behind the API: telling peers, recovery, expiry, seals. Any number may run over one database."""
    from eci_payments.cli import work as command

    command.run(parent, ready_fd, gate_fd)


@app.command()
def migrate(
    service_role: Annotated[
        str | None,
        typer.Option(help="Role to grant what the service needs; the user of DATABASE_URL if not given."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Change nothing: exit 0 if this release can start, else 1 and why."),
    ] = False,
) -> None:
    """Bring the database to this release's schema, as the owner of the schema (MIGRATION_DATABASE_URL)."""
    from eci_payments.cli import migrate as command

    command.check() if check else command.run(service_role)


@app.command()
def verify(
    audit: Annotated[bool, typer.Option("--audit", help="Only the hash chain over the audit trail.")] = False,
    seal: Annotated[
        Path | None, typer.Option(help="With --audit: hold it against what `audit export-seal` wrote.")
    ] = None,
) -> None:
    """Prove the books: balances, audit trail, seals, deliveries. Exits 1 and names what is broken."""
    from eci_payments.cli import verify as command

    raise typer.Exit(command.run(audit=audit, seal=seal))


@app.command()
def recover(
    since: Annotated[
        str | None, typer.Option(help="The moment that was restored, e.g. 2026-11-25T03:00:00Z.")
    ] = None,
    checked: Annotated[
        list[str] | None,
        typer.Option(help="A name from the report that a person has looked at; may be repeated."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="With --checked: who looked where, and what was found.")
    ] = None,
) -> None:
    """After a restore: ask the gateways about everything since, then let charges begin. Exits 1 until that is so."""
    from eci_payments.cli import recover as command

    raise typer.Exit(command.run(since, checked or [], reason))


@app.command()
def seed() -> None:
    """Fill a demonstration with some hundred payments in every state; what is there already is left alone."""
    from eci_payments.cli import seed as command

    command.run()


@app.command("import-seed")
def import_seed(
    source: Annotated[
        str,
        typer.Argument(
            envvar="SEED_DATABASE_URL",
            help="The seed service's PostgreSQL: postgresql://user:password@host/db.",
        ),
    ],
) -> None:
    """Take over the payments of the seed's database, with history; says what did not fit, and exits 1 then."""
    from eci_payments.cli import import_seed as command

    raise typer.Exit(command.run(source))


@app.command()
def sandbox(
    host: PageHost = None, port: PagePort = None, parent: Parent = None, fd: Descriptor = None
) -> None:
    """Run the gateway simulator by itself: its customers' pages and, with SANDBOX_API_KEY, its API for shops."""
    from eci_payments.cli import sandbox as command

    command.run(host, port, parent, fd)


@app.command()
def standins(
    journal: Annotated[
        Path | None, typer.Option(help="The SQLite file of what they were told; default in DATA_DIR.")
    ] = None,
    host: PageHost = None,
    port: PagePort = None,
    parent: Parent = None,
    fd: Descriptor = None,
) -> None:
    """Run small stand-ins for the order, inventory and notification services, for trying things out."""
    from eci_payments.cli import standins as command

    command.run(journal, host, port, parent, fd)


@deliveries_app.command("list")
def list_deliveries(
    state: Annotated[str | None, typer.Option(help="PENDING, PARKED, DELIVERED or SUPERSEDED.")] = None,
    destination: Annotated[str | None, typer.Option(help="order, inventory or notification.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 50,
    before: Annotated[
        int | None, typer.Option(min=1, help="Only older ones: below the last id that was listed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    merchant: Annotated[int, typer.Option(help="Whose deliveries.")] = 1,
) -> None:
    """List what the other services were told or are still to be told, and what waits per destination."""
    from eci_payments.cli import deliveries as command

    command.list_them(merchant, state, destination, limit, before, as_json=as_json)


@deliveries_app.command("replay")
def replay(
    delivery_id: Annotated[int | None, typer.Argument(help="The parked delivery to send again.")] = None,
    parked: Annotated[bool, typer.Option("--parked", help="Every parked one.")] = False,
    destination: Annotated[str | None, typer.Option(help="With --parked: of this destination only.")] = None,
    merchant: Annotated[int, typer.Option(help="Whose deliveries.")] = 1,
) -> None:
    """Send parked deliveries again. One that a later delivery has overtaken is not sent: it ends superseded."""
    from eci_payments.cli import deliveries as command

    command.replay(merchant, delivery_id, destination, every=parked)


def main() -> None:
    """Run the command line; what goes wrong is one line for the person who typed it, never a traceback."""
    gc.set_threshold(LOADING_COLLECTED_AFTER)
    try:
        app()
    except CommandError as error:
        _end(str(error), error.exit_code)
    except Exception as error:
        if (line := plain_line(error)) is None:
            logging.getLogger(__name__).debug("fault", exc_info=True)
            line = Line(f"a fault of ours, please report it: {type(error).__name__}: {error}", FAULT)
        _end(line.text, line.exit_code)


def _end(text: str, exit_code: int) -> None:
    print(f"eci-payments: {text}", file=sys.stderr)
    sys.exit(exit_code)
