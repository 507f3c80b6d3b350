"""What commands do that only the owner of the schema may: the service's own role can make itself no key."""

from __future__ import annotations

import getpass
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from eci_payments.cli.errors import CommandError
from eci_payments.cli.opening import connected, located, refuse_unready
from eci_payments.domain.ids import MerchantId
from eci_payments.settings import load
from eci_payments.store.admin_events import AdminEvent
from eci_payments.store.grants import is_denied
from eci_payments.store.merchants import has_merchant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from eci_payments.store.session import WriteSession


@asynccontextmanager
async def owning() -> AsyncIterator[WriteSession]:
    """One transaction as the owner (MIGRATION_DATABASE_URL). Raises CommandError where the role is another."""
    settings = load()
    try:
        async with (
            located(settings) as place,
            connected(settings, place.owner_url, "keys") as database,
        ):
            await refuse_unready(database)
            async with database.write() as session:
                yield session
    except Exception as error:
        if is_denied(error):
            raise CommandError(
                "only the owner of the schema may do this: let MIGRATION_DATABASE_URL name that role"
            ) from None
        raise


async def existing(session: WriteSession, merchant: int) -> MerchantId:
    """This merchant. Raises CommandError when there is none with this id."""
    if not await has_merchant(session, merchant):
        raise CommandError(f"there is no merchant {merchant}; see `eci-payments merchants list`")
    return MerchantId(merchant)


def act(merchant: MerchantId, action: str, subject: str, result: str = "done") -> AdminEvent:
    """An act at this command line, for the trail."""
    return AdminEvent(merchant, f"cli:{_user()}", action, subject, result, "command line")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user needs no name
        return "unknown"
