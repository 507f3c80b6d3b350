"""Makes the installation's passwords and keys, once, into the volumes of those who need them."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from eci_payments.domain.api_keys import SECRET_BYTES, new_key
from eci_payments.domain.ids import SINGLE_SHOP

SERVICE, POSTGRES, SIMULATOR = Path("/secrets"), Path("/postgres-secrets"), Path("/simulator")
SERVICE_USER = 10001
POSTGRES_USER = 999
"""The user of Debian's image of PostgreSQL."""


def write(folder: Path, user: int, values: dict[str, str]) -> None:
    """One file each, for that user alone; the folder last, so that half a set is never taken for a whole one."""
    for name, value in values.items():
        path = folder / name
        path.write_text(value)
        path.chmod(0o400)
        os.chown(path, user, user)
    os.chown(folder, user, user)


def main() -> None:
    """Make them unless they are there. PostgreSQL's are written last: they say that all is done."""
    os.chown(SIMULATOR, SERVICE_USER, SERVICE_USER)
    if (POSTGRES / "service-password").exists():
        print("the secrets are there already")
        return
    admin, owner, service = (secrets.token_urlsafe(24) for _ in range(3))
    at = "postgres:5432/payment_db"
    write(
        SERVICE,
        SERVICE_USER,
        {
            "database-url": f"postgresql://payment_user:{service}@{at}",
            "migration-database-url": f"postgresql://payment_owner:{owner}@{at}",
            "fingerprint-key": secrets.token_urlsafe(48),
            "api-key": new_key(SINGLE_SHOP, secrets.token_bytes(SECRET_BYTES)),
        },
    )
    passwords = {"admin-password": admin, "owner-password": owner, "service-password": service}
    write(POSTGRES, POSTGRES_USER, passwords)
    print("the secrets are made")


main()
