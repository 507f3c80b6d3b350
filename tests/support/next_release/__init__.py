"""The release after this one, for tests of two releases side by side: one migration more, and code that needs it.

``python -m support.next_release serve`` runs it. It writes the new columns of every payment and audit entry, and reads
the payments' one back with them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

VERSIONS = Path(__file__).parent / "versions"


def become() -> None:
    """Make this process one of the next release; to be called before anything else of the service is imported."""
    from sqlalchemy import Column, Text  # noqa: PLC0415 - when it is asked to be that release

    from eci_payments.store import migrate, rows, tables  # noqa: PLC0415 - the same
    from eci_payments.store.recordset import Field  # noqa: PLC0415 - the same

    migrate.VERSIONS = (*migrate.VERSIONS, VERSIONS)
    for name, table in (("PAYMENTS", tables.payments), ("AUDIT", tables.transactions)):
        table.append_column(Column("channel", Text))
        known = getattr(rows, name)
        column: Field[object] = Field("channel", "text", "currency", lambda _: "web")
        setattr(rows, name, replace(known, fields=(*known.fields, column)))
