"""What every command does first: read the settings, find the database, and refuse to go on where that is not safe."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from eci_payments.cli.card_keys import check_card_keys
from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.fingerprint import agreed_key
from eci_payments.gateway_accounts import WITHOUT_MONEY, adapters_named
from eci_payments.settings import Settings, load
from eci_payments.store.embedded import EmbeddedPostgres
from eci_payments.store.grants import can_rewrite_history
from eci_payments.store.migrate import check
from eci_payments.store.reach import OLDEST_MAJOR, reach
from eci_payments.store.session import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger(__name__)

GATEWAYS_MISSING = (
    "GATEWAYS must name at least one gateway (simulator moves no real money), or GATEWAYS_FILE a file of them"
)
REVIVAL_EVERY_S = 1.0
"""How soon an embedded server that died is started again by those who use it."""


@dataclass(frozen=True, slots=True)
class Place:
    """The database of these settings, for the service and for the owner of its schema."""

    settings: Settings
    service_url: str
    owner_url: str
    service_role: str | None
    """Who is granted what the service needs; None where the service connects as the owner."""


def settings_for_service(host: str | None = None, port: int | None = None) -> Settings:
    """The settings of a process that takes or moves money. Raises SettingsError, and CommandError without a gateway."""
    settings = settings_with(host, port)
    if not settings.gateways and settings.gateways_file is None:
        raise CommandError(GATEWAYS_MISSING, WRONG_SETTING)
    return settings


def settings_with(host: str | None = None, port: int | None = None) -> Settings:
    """The settings, with what was given as options in place of SERVICE_HOST and SERVICE_PORT."""
    settings = load()
    return replace(
        settings,
        service_host=settings.service_host if host is None else host,
        service_port=settings.service_port if port is None else port,
    )


@asynccontextmanager
async def located(settings: Settings) -> AsyncIterator[Place]:
    """The database that the settings name, or else the embedded one, kept running while the block lasts."""
    if settings.database_url is not None:
        service = settings.database_url.get_secret_value()
        owner = (settings.owner_database_url or settings.database_url).get_secret_value()
        yield Place(settings, service, owner, _role(owner, service))
        return
    server = EmbeddedPostgres(settings.data_dir)
    urls = await asyncio.to_thread(server.start)
    reviving = asyncio.create_task(_revive(server))
    try:
        yield Place(settings, urls.service, urls.owner, _user(urls.service))
    finally:
        reviving.cancel()
        with suppress(asyncio.CancelledError):
            await reviving
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def opened(settings: Settings, name: str, pool: int = 2) -> AsyncIterator[Database]:
    """Connections for a command that looks at the books; refuses a database that is not migrated."""
    async with located(settings) as place, connected(settings, place.service_url, name, pool) as database:
        await refuse_unready(database)
        yield database


@asynccontextmanager
async def connected(
    settings: Settings, url: str, name: str, pool: int = 2, oldest: int = OLDEST_MAJOR
) -> AsyncIterator[Database]:
    """Connections to this database, which has answered. Raises DatabaseAway, WrongVersion."""
    database = Database(
        url, pool_size=pool, prepared_statements=settings.db_prepared_statements, name=f"eci-payments {name}"
    )
    try:
        await reach(database, oldest)
        yield database
    finally:
        await database.close()


async def refuse_unready(database: Database) -> None:
    """Raises CommandError when the database lacks this release's schema."""
    async with database.read() as session:
        hindrances = await check(session)
    if hindrances:
        raise CommandError(hindrances[0])


@dataclass(frozen=True, slots=True)
class Start:
    """All that a service is built from."""

    settings: Settings
    database_url: str
    fingerprint_key: bytes


async def ready(place: Place) -> Start:
    """What a service may be started from: the database is checked, its role judged, the fingerprint key agreed."""
    async with connected(place.settings, place.service_url, "start") as database:
        await refuse_unready(database)
        await _judge_role(database, refuse=place.settings.require_restricted_role)
        key = await agreed_key(database, place.settings)
        await check_card_keys(database, place.settings)
    _warn_of_simulator(place.settings)
    return Start(place.settings, place.service_url, key.encode())


async def _judge_role(database: Database, *, refuse: bool) -> None:
    async with database.read() as session:
        reasons = await can_rewrite_history(session)
    if not reasons:
        return
    said = f"the database role could rewrite history: {'; '.join(reasons)}"
    if refuse:
        raise CommandError(
            f"{said}. REQUIRE_RESTRICTED_ROLE is on: let DATABASE_URL name a role that owns nothing"
        )
    log.warning(
        "%s; let DATABASE_URL name a role that owns nothing, and MIGRATION_DATABASE_URL the owner", said
    )


def _warn_of_simulator(settings: Settings) -> None:
    if adapters_named(settings) & WITHOUT_MONEY:
        log.warning(
            "the gateways include the simulator: it approves by agreed test values and moves no real money"
        )


def _role(owner: str, service: str) -> str | None:
    role = _user(service)
    return None if role == _user(owner) else role


def _user(url: str) -> str | None:
    user = urlsplit(url).username
    return unquote(user) if user else None


async def _revive(server: EmbeddedPostgres) -> None:
    while True:
        await asyncio.sleep(REVIVAL_EVERY_S)
        try:
            if await asyncio.to_thread(server.ensure_running):
                log.warning("the embedded PostgreSQL had ended and was started again")
        except Exception:
            log.exception("the embedded PostgreSQL cannot be started again; it is tried on")
