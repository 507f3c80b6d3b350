"""The address of an outside PostgreSQL, made into the one form that the driver takes."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import SecretStr

from eci_payments.settings.kinds import Kind, matching, refuse

DRIVER = "postgresql+asyncpg"
_SCHEMES = frozenset({"postgres", "postgresql", DRIVER})
_RENAMED = {"sslmode": "ssl", "ssl": "ssl", "host": "host", "port": "port"}
"""What may stand after the ``?``, and what the driver calls it: libpq's ``sslmode`` is asyncpg's ``ssl``."""
_VISIBLE = re.compile(r"[!-~]{1,4000}", re.ASCII)


def _read(text: str) -> SecretStr:
    parts = urlsplit(matching(_VISIBLE, text))
    query = [(_RENAMED.get(name) or refuse(), value) for name, value in _pairs(parts.query)]
    somewhere = parts.hostname or any(name == "host" for name, _ in query)
    if parts.scheme not in _SCHEMES or not somewhere or len(parts.path) <= 1 or parts.port == 0:
        refuse()
    return SecretStr(parts._replace(scheme=DRIVER, query=urlencode(query), fragment="").geturl())


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []


DATABASE_URL: Kind[SecretStr] = Kind(
    _read,
    "postgresql://user:password@host:port/database, with at most sslmode and host after a ?",
    secret=True,
)
