"""``eci-payments sandbox``: the gateway simulator for customers' browsers, and over HTTP for shops."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from eci_payments.cli.lifeline import end_with
from eci_payments.cli.listening import address, inherited, listen
from eci_payments.sandbox import SandboxOptions, serve
from eci_payments.settings import SettingsError, load

if TYPE_CHECKING:
    from eci_payments.settings import Settings

SECRET_BYTES = range(24, 65)
"""Standard Webhooks 1.0."""


def run(host: str | None, port: int | None, parent: int | None, fd: int | None) -> None:
    """Serve the pages, and with SANDBOX_API_KEY the gateway's API, until told to stop; prints its address."""
    settings = load()
    secrets = webhook_secrets(settings)
    record = settings.sandbox_db or settings.simulator_path
    if record.is_dir():
        raise SettingsError(
            f"{'SANDBOX_DB' if settings.sandbox_db else 'SIMULATOR_DB'} must be the path of a file"
        )
    end_with(parent)
    listening = listen(host or "127.0.0.1", port or 0, "--port") if fd is None else inherited(fd)
    print(address(listening), flush=True)
    options = SandboxOptions(
        api_key=settings.sandbox_api_key.get_secret_value() if settings.sandbox_api_key else None,
        public_url=settings.simulator_url or address(listening),
        webhook_url=settings.sandbox_webhook_url,
        webhook_secrets=secrets,
    )
    serve(record, options, listening)


def webhook_secrets(settings: Settings) -> tuple[str, ...]:
    """The secrets that webhooks are signed with. Raises SettingsError."""
    listed = settings.sandbox_webhook_secrets
    found = tuple(one.strip() for one in listed.get_secret_value().split(",")) if listed else ()
    for secret in found:
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            key = b""
        if not secret.startswith("whsec_") or len(key) not in SECRET_BYTES:
            raise SettingsError("SANDBOX_WEBHOOK_SECRETS: takes whsec_ and the base64 of 24 to 64 bytes")
    if settings.sandbox_webhook_url and not found:
        raise SettingsError("SANDBOX_WEBHOOK_SECRETS: is needed, because SANDBOX_WEBHOOK_URL is set")
    return found
