"""The key of the request fingerprints: given, or made once and kept beside the data; always the one first used.

With another key every remembered request would look like another one, so that a client's honest retry would be
refused. The database therefore notes a check value (a keyed hash of a constant, which tells nothing of the key), and a
start with another key is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from eci_payments.cli.errors import CommandError
from eci_payments.store.installation import note_once, noted_value

if TYPE_CHECKING:
    from pathlib import Path

    from eci_payments.settings import Settings
    from eci_payments.store.session import Database

NOTE = "fingerprint_key_check"
_CONSTANT = b"eci-payments fingerprint key check 1"
_KEY_BYTES = 32
"""As long as the hash it keys (RFC 2104, section 3)."""


def key_file(data_dir: Path) -> Path:
    """Where a key that we made ourselves is kept, readable by us only."""
    return data_dir / "fingerprint.key"


async def agreed_key(database: Database, settings: Settings) -> str:
    """The key to use. Raises CommandError when it is not the one that this database was first used with."""
    noted = await noted_value(database, NOTE)
    key = _given(settings)
    if key is None:
        if noted is not None:
            raise CommandError(
                f"FINGERPRINT_KEY is not given and {key_file(settings.data_dir)} is not there, but this database was"
                " used with a key before: give that one"
            )
        key = _made(settings)
    if await note_once(database, NOTE, check_value(key)) != check_value(key):
        raise CommandError(
            f"{_source(settings)} is not the key that this database was first used with: give that one"
        )
    return key


def check_value(key: str) -> str:
    """What the database notes of a key."""
    return hmac.new(key.encode(), _CONSTANT, hashlib.sha256).hexdigest()


def _given(settings: Settings) -> str | None:
    if settings.fingerprint_key is not None:
        return settings.fingerprint_key.get_secret_value()
    try:
        return key_file(settings.data_dir).read_text().strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CommandError(f"{key_file(settings.data_dir)} cannot be read: {error}") from None


def _source(settings: Settings) -> str:
    return "FINGERPRINT_KEY" if settings.fingerprint_key else str(key_file(settings.data_dir))


def _made(settings: Settings) -> str:
    try:
        return _make(key_file(settings.data_dir))
    except OSError as error:
        raise CommandError(
            f"FINGERPRINT_KEY is not given, and DATA_DIR ({settings.data_dir}) takes none that is made:"
            f" {error.strerror}"
        ) from None


def _make(path: Path) -> str:
    """Make the key whole or not at all; of several that make it at once, all take the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        unfinished.unlink()
    return path.read_text().strip()
