"""``BOOTSTRAP_API_KEY``: the first key of merchant 1, stored by migrate, for installations without a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.cli.errors import CommandError
from eci_payments.cli.opening import connected
from eci_payments.cli.owning import act
from eci_payments.domain.api_keys import EVERY_SCOPE, presented
from eci_payments.store.admin_events import record_one
from eci_payments.store.api_keys import add_key

if TYPE_CHECKING:
    from eci_payments.cli.opening import Place

NAME = "bootstrap"


async def store_bootstrap_key(place: Place) -> None:
    """Store it unless it is there already; one that was revoked stays revoked."""
    given = place.settings.bootstrap_api_key
    if given is None:
        return
    key = presented(given.get_secret_value())
    if key is None:
        raise CommandError("BOOTSTRAP_API_KEY is no API key")
    async with (
        connected(place.settings, place.owner_url, "bootstrap") as database,
        database.write() as session,
    ):
        if await add_key(session, key, NAME, EVERY_SCOPE):
            await record_one(
                session, act(key.merchant_id, "key created", f"{key.key_id} '{NAME}' (BOOTSTRAP_API_KEY)")
            )
