"""The keys of card fingerprints at a start: always those that the database knows under their ids, and all it needs.

With another key under the same id, or without one that entries were made with, limits and blocks of cards would hold no
longer, and nobody would see it. So such a start is refused. Of a key the database notes a check value only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eci_payments.bootstrap import configured_card_keys
from eci_payments.cli.errors import CommandError
from eci_payments.store.blocks import card_key_ids, has_card_limits
from eci_payments.store.installation import note_once

if TYPE_CHECKING:
    from eci_payments.settings import Settings
    from eci_payments.store.session import Database

NOTE = "card_key_check:"


async def check_card_keys(database: Database, settings: Settings) -> None:
    """Raises CommandError when cards that are limited or blocked would not be recognised."""
    keys = configured_card_keys(settings).keys
    for key in keys:
        noted = await note_once(database, NOTE + key.key_id, key.check_value)
        if noted != key.check_value:
            raise CommandError(
                f"CARD_FINGERPRINT_KEY: this database knows another key as {key.key_id}; a new key needs a new id"
            )
    async with database.read() as session:
        limited, used = await has_card_limits(session), set(await card_key_ids(session))
    missing = used - {key.key_id for key in keys}
    if missing:
        raise CommandError(
            f"CARD_FINGERPRINT_KEY lacks {', '.join(sorted(missing))}, by which blocked cards are recognised:"
            " keep it behind the present key, or remove these blocks"
        )
    if limited and not keys:
        raise CommandError(
            "CARD_FINGERPRINT_KEY is needed: a merchant limits cards (`eci-payments limits list`)"
        )
