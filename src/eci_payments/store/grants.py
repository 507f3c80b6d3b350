"""What the service's own role may do: what it needs, and nothing that could rewrite history (law 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.store.session import run
from eci_payments.store.tables import INSERT_ONLY, metadata

if TYPE_CHECKING:
    from eci_payments.store.session import ReadSession, WriteSession

_READ, _ADD, _CHANGE = ("SELECT",), ("SELECT", "INSERT"), ("SELECT", "INSERT", "UPDATE")
GRANTS: dict[str, tuple[str, ...]] = {
    "merchants": _READ,
    "payments": _CHANGE,
    "operations": _CHANGE,
    "refunds": _CHANGE,
    "transactions": _ADD,
    "ledger_entries": _ADD,
    "events": _ADD,
    "deliveries": _CHANGE,
    "idempotency_keys": (*_CHANGE, "DELETE"),
    "cursors": _CHANGE,
    "audit_seals": _ADD,
    "business_sums": _CHANGE,
    "installation": _CHANGE,
    "api_keys": ("SELECT", "UPDATE"),
    "admin_events": _ADD,
    "admin_seals": _ADD,
    "merchant_limits": _READ,
    "blocks": _READ,
    "limit_uses": (*_CHANGE, "DELETE"),
    "rate_windows": (*_CHANGE, "DELETE"),
    "gateway_inbox": (*_CHANGE, "DELETE"),
    "disputes": _CHANGE,
    "alembic_version": _READ,
}
"""Each table, and what may be done with it."""
UPDATED = {"api_keys": ("last_used_at",)}
"""Where only some columns may be changed: a service that was broken into can make itself no key."""


INSUFFICIENT_PRIVILEGE = "42501"


class UnknownRole(Exception):
    """The role that should be granted something does not exist; the message names it."""


async def grant(session: WriteSession, role: str) -> None:
    """Give ``role`` exactly `GRANTS` and the use of the sequences; what it had beyond them is taken away.

    Where a table records which transaction wrote a row, the role may not choose that number: a row stamped into the
    past would never be sealed. Nothing is done for the owner, who needs no grants. Raises UnknownRole.
    """
    rows = await run(
        session,
        "SELECT quote_ident(rolname) AS role, quote_ident(current_schema()) AS schema, rolname = current_user AS owner"
        " FROM pg_roles WHERE rolname = $1",
        role,
    )
    if not rows:
        raise UnknownRole(f"the role {role!r} does not exist; create it before it is granted anything")
    (found,) = rows
    if found.owner:
        return
    everything = ", ".join(GRANTS)
    await run(session, f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER ON {everything} FROM PUBLIC")
    await run(session, f"REVOKE ALL ON {everything} FROM {found.role}")
    await run(session, f"REVOKE CREATE ON SCHEMA {found.schema} FROM {found.role}")
    await run(session, f"GRANT USAGE ON SCHEMA {found.schema} TO {found.role}")
    for table, privileges in GRANTS.items():
        named = ", ".join(_within_columns(table, privilege) for privilege in privileges)
        await run(session, f"GRANT {named} ON {table} TO {found.role}")
    sequences = ", ".join(metadata._sequences)  # noqa: SLF001 - the metadata keeps them under no public name
    await run(session, f"GRANT USAGE ON SEQUENCE {sequences} TO {found.role}")


def _within_columns(table: str, privilege: str) -> str:
    columns = metadata.tables[table].columns if table in metadata.tables else ()
    names = [column.name for column in columns]
    if privilege == "UPDATE" and table in UPDATED:
        return f"UPDATE ({', '.join(UPDATED[table])})"
    if privilege != "INSERT" or "committed_in" not in names or table not in INSERT_ONLY:
        return privilege
    return f"INSERT ({', '.join(name for name in names if name != 'committed_in')})"


def is_denied(error: BaseException) -> bool:
    """Whether the database said that this role may not do it."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) == INSUFFICIENT_PRIVILEGE


async def can_rewrite_history(session: ReadSession | WriteSession) -> list[str]:
    """Why this session's role could change what is written for good, one reason each; empty when it cannot.

    Counts what the role may do itself and as any role that it may become. Does not see what lies outside the
    database: whoever may write its files, or stop its server, is not held by privileges.
    """
    rows = await run(session, _REASONS, list(INSERT_ONLY))
    reasons = [row.reason for row in rows]
    return reasons[:1] if "the role is a superuser" in reasons else reasons


_REASONS = """
WITH self AS (
    SELECT oid, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = session_user
), roles AS (
    SELECT r.oid, r.rolname FROM pg_roles r, self WHERE pg_has_role(self.oid, r.oid, 'MEMBER')
), history AS (
    SELECT c.oid, c.relname, c.relowner, n.nspowner
    FROM unnest($1::text[]) AS name
    JOIN pg_class c ON c.oid = to_regclass(name)
    JOIN pg_namespace n ON n.oid = c.relnamespace
)
SELECT 1 AS rank, 'the role is a superuser' AS reason FROM self WHERE rolsuper
UNION
SELECT 2, 'the role may create roles, and so join any of them'
FROM self WHERE rolcreaterole AND current_setting('server_version_num')::int < 160000
UNION
SELECT 3, format('the role is, or may become, the owner of %s', h.relname)
FROM history h JOIN roles r ON r.oid = h.relowner
UNION
SELECT 4, 'the role is, or may become, the owner of the schema'
FROM history h JOIN roles r ON r.oid = h.nspowner
UNION
SELECT 5, 'the role is, or may become, the owner of the database'
FROM pg_database d JOIN roles r ON r.oid = d.datdba WHERE d.datname = current_database()
UNION
SELECT 6, format('the role may become %s', r.rolname)
FROM roles r WHERE r.rolname IN ('pg_write_server_files', 'pg_execute_server_program')
UNION
SELECT 7, format('the role has %s on %s', string_agg(DISTINCT p.privilege, ', '), h.relname)
FROM history h CROSS JOIN roles r CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS p (privilege)
WHERE (has_table_privilege(r.oid, h.oid, p.privilege)
       OR (p.privilege = 'UPDATE' AND has_any_column_privilege(r.oid, h.oid, 'UPDATE')))
  AND NOT EXISTS (SELECT FROM roles o WHERE o.oid = h.relowner)
GROUP BY h.relname
ORDER BY rank, reason
"""
