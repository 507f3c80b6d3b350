"""Makes the installation's secrets inside the cluster, once: random, known to nobody, in no file and no manifest.

Runs as a Job whose service account may create Secrets and can read none. What exists already is left as it is.
"""

from __future__ import annotations

import json
import secrets
import ssl
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path

from eci_payments.domain.api_keys import SECRET_BYTES, new_key
from eci_payments.domain.ids import SINGLE_SHOP

ACCOUNT = Path("/run/secrets/kubernetes")
API = "https://kubernetes.default.svc/api/v1/namespaces/{namespace}/secrets"
TRIED = "?dryRun=All"


def create(name: str, values: dict[str, str], how: str = "") -> bool:
    """Create one Secret, or only try whether it could be; whether it is new."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "eci"}},
        "stringData": values,
    }
    request = urllib.request.Request(  # noqa: S310 - the cluster's own address
        API.format(namespace=(ACCOUNT / "namespace").read_text()) + how,
        json.dumps(manifest).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"},
    )
    trusted = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    try:
        urllib.request.urlopen(request, timeout=10, context=trusted).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.CONFLICT:
            return False
        raise
    return True


def main() -> None:
    """Create what is missing. PostgreSQL's comes first: with it there already, its passwords are not ours to make."""
    admin, owner, service = (secrets.token_urlsafe(24) for _ in range(3))
    passwords = {"admin-password": admin, "owner-password": owner, "service-password": service}
    if not create("postgres", passwords):
        missing = [name for name in ("payment-service", "payment-service-owner") if create(name, {}, TRIED)]
        if missing:
            raise SystemExit(
                f"there is a Secret postgres, and none named {' or '.join(missing)}: it is somebody else's, or a start"
                " was broken off. Use another namespace, or delete all three and this Job, and apply again"
            )
        print("the secrets are there already")
        return
    create(
        "payment-service",
        {
            "database-url": f"postgresql://payment_user:{service}@postgres:5432/payment_db",
            "fingerprint-key": secrets.token_urlsafe(48),
        },
    )
    create(
        "payment-service-owner",
        {
            "migration-database-url": f"postgresql://payment_owner:{owner}@postgres:5432/payment_db",
            "api-key": new_key(SINGLE_SHOP, secrets.token_bytes(SECRET_BYTES)),
        },
    )
    print("the secrets are made")


main()
