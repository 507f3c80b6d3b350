"""A cluster on disk: how it is made, how it is set, who may connect."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from eci_payments.store.embedded.account import Account, user_name
from eci_payments.store.embedded.errors import EmbeddedError
from eci_payments.store.embedded.layout import PORT, Layout
from eci_payments.store.embedded.programs import MAJOR_VERSION, clean_environment, program_path

if TYPE_CHECKING:
    from pathlib import Path

ADMIN_ROLE = "postgres"
OWNER_ROLE = "payment_owner"
"""Owns the database and the schema in it: what ``migrate`` connects as."""
SERVICE_ROLE = "payment_service"
"""Owns nothing: what the service connects as."""
DATABASE = "payment_db"
MAKE_TIMEOUT_S = 120
"""Making a cluster takes a second; a slow disk may take many, and beyond this something else is wrong."""

_SETTINGS = {
    "autovacuum_naptime": "15s",  # small hot tables (claims, cursors) are rewritten all the time
    "checkpoint_timeout": "15min",
    "dynamic_shared_memory_type": "posix",
    "idle_session_timeout": "0",
    "jit": "off",  # compiling a plan costs more than our statements do
    "listen_addresses": "",  # the socket only: nobody on the network, and no port to be taken
    "log_error_verbosity": "terse",  # without DETAIL, which would carry values of rows
    "log_timezone": "UTC",
    "max_connections": "200",
    "max_parallel_workers_per_gather": "0",  # two cores are better used by two payments
    "max_wal_size": "2GB",
    "port": str(PORT),
    "random_page_cost": "1.1",  # the data fits in memory or lies on flash
    "shared_buffers": "256MB",
    "synchronous_commit": "on",  # a payment that was acknowledged is on disk
    "timezone": "UTC",
}
_DURABLE = {"fsync": "on", "full_page_writes": "on"}
_FORGETFUL = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}

# Made again at every start and safe to repeat: a start that was killed half-way leaves nothing that the next minds.
_ROLES_SQL = f"""
SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', r)
FROM unnest(ARRAY['{OWNER_ROLE}', '{SERVICE_ROLE}']) AS r
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) \\gexec
SELECT 'CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;
GRANT CONNECT ON DATABASE {DATABASE} TO {SERVICE_ROLE};
"""


def ensure_cluster(layout: Layout, account: Account, *, durable: bool) -> None:
    """Make the cluster unless it is there, whole or not at all. Raises EmbeddedError when it cannot be used."""
    if layout.cluster.exists():
        _check_version(layout.cluster)
        return
    unfinished = layout.unfinished_cluster
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    os.chown(unfinished, account.uid, account.gid)
    _initdb(unfinished, account, durable=durable)
    unfinished.rename(layout.cluster)


def _initdb(folder: Path, account: Account, *, durable: bool) -> None:
    arguments = [
        f"--pgdata={folder}",
        f"--username={ADMIN_ROLE}",
        "--auth=peer",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",  # the same order on every system, and that of the bytes
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
        *([] if durable else ["--no-sync"]),
    ]
    run_program(account.command(program_path("initdb"), *arguments, folder=folder))


def _check_version(cluster: Path) -> None:
    try:
        version = (cluster / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise EmbeddedError(f"{cluster} cannot be read as a PostgreSQL cluster: {error.strerror}") from None
    if version != str(MAJOR_VERSION):
        raise EmbeddedError(
            f"{cluster} was made by PostgreSQL {version}, this release brings {MAJOR_VERSION}"
        )


def write_access_rules(layout: Layout) -> None:
    """Only the user that we run as may connect, over the socket, and take our roles: no passwords to keep."""
    us = user_name(os.geteuid()).replace('"', '""')
    roles = (ADMIN_ROLE, OWNER_ROLE, SERVICE_ROLE)
    _write(layout.ident, "".join(f'us "{us}" {role}\n' for role in roles))
    _write(layout.hba, "local all all peer map=us\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)  # names only; the server's user reads them


def server_command(layout: Layout, account: Account, *, durable: bool) -> list[str]:
    """The command that runs the server of this cluster."""
    quoted_folder = '"' + str(layout.sockets).replace('"', '""') + '"'
    settings = _SETTINGS | (_DURABLE if durable else _FORGETFUL)
    settings |= {
        "hba_file": str(layout.hba),
        "ident_file": str(layout.ident),
        "unix_socket_directories": quoted_folder,
        "unix_socket_permissions": "0700",  # its folder is closed too; root needs no bits
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return account.command(
        program_path("postgres"), "-D", str(layout.cluster), *options, folder=layout.cluster
    )


def ensure_roles(layout: Layout) -> None:
    """Make the roles and the database unless they are there. Raises EmbeddedError when that fails."""
    command = [
        str(program_path("psql")),
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        "--dbname=postgres",
    ]
    run_program(
        [*command, f"--host={layout.sockets}", f"--port={PORT}", f"--username={ADMIN_ROLE}"], _ROLES_SQL
    )


def run_program(command: list[str], text: str = "") -> None:
    """Run one of PostgreSQL's programs to its end. Raises EmbeddedError with the last line it said when it fails."""
    try:
        done = subprocess.run(
            command,
            input=text,
            check=False,
            capture_output=True,
            text=True,
            timeout=MAKE_TIMEOUT_S,
            env=clean_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EmbeddedError(f"PostgreSQL's program could not be run: {error}") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"it ended with {done.returncode}"]
        raise EmbeddedError(f"the embedded PostgreSQL could not be made: {_most_telling(said)}")


def _most_telling(lines: list[str]) -> str:
    return next((line for line in lines if "error" in line.lower() or "FATAL" in line), lines[-1])
