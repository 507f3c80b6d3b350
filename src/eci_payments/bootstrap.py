"""The page that names everything concrete but the gateways: settings in, a service out.

Tests build the same things with the simulator, seeded randomness and short waits.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from eci_payments.api.access import Access, AccessRules
from eci_payments.api.app import create_app, create_system_app
from eci_payments.api.client_address import networks
from eci_payments.api.read_tokens import ReadTokens
from eci_payments.api.services import Services
from eci_payments.delivery.options import RelayOptions, Seams
from eci_payments.delivery.peers import Peer, peer
from eci_payments.delivery.relay import Relay
from eci_payments.delivery.shapes import PeerName, Shape
from eci_payments.delivery.templates import InvalidTemplate
from eci_payments.domain.breaker import BreakerState
from eci_payments.domain.card_fingerprints import CardKeys, card_keys
from eci_payments.domain.limits import WINDOW_MAX_S
from eci_payments.domain.money import InvalidMoney, currency
from eci_payments.domain.operation import OperationState
from eci_payments.observability.metrics import Metrics
from eci_payments.operations.engine import Engine
from eci_payments.operations.rules import LateSuccessPolicy, Rules
from eci_payments.operations.service import Payments
from eci_payments.recovery.approvals import ApprovalExpiry
from eci_payments.recovery.expiry import PaymentExpiry
from eci_payments.recovery.inbox import InboxWorker
from eci_payments.recovery.loop import Loop
from eci_payments.recovery.operations import OperationRecovery, shares
from eci_payments.settings import SettingsError
from eci_payments.store.expiry import expire_keys
from eci_payments.store.ids import Ids
from eci_payments.store.inbox import forget_inbox
from eci_payments.store.lane import Lane
from eci_payments.store.screening import forget_uses
from eci_payments.store.seals import seal
from eci_payments.store.session import Database
from eci_payments.store.sums import fold, read
from eci_payments.store.waiting import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from eci_payments.domain.change import Change
    from eci_payments.gateways.accounts import Account
    from eci_payments.gateways.routing import Gateways
    from eci_payments.observability.metrics import BusinessSums
    from eci_payments.settings import PeerSettings, Settings

IDLE_S, SEAL_IDLE_S, KEY_EXPIRY_IDLE_S = 0.5, 1.0, 60.0
"""How long a worker's loops rest when there is nothing to do: recovery is looked for often, old keys seldom."""
LANE = "payments"
"""The one lane there is, as its measures name it."""
FOLD_LIMIT = 5000
"""Audit entries folded into the sums at once: some milliseconds of work."""


@dataclass(frozen=True, slots=True)
class Service:
    """What one process has: its database, its gateways, and the payments they make."""

    settings: Settings
    database: Database
    metrics: Metrics
    payments: Payments

    async def close(self) -> None:
        """Finish what was begun, then give everything back."""
        await self.payments.drain()
        await self.payments.engine.lane.drain()
        for gateway in self.payments.engine.gateways.all():
            await gateway.close()
        await self.database.close()


def build(
    settings: Settings,
    database_url: str,
    gateways: Gateways,
    *,
    random_bytes: Callable[[int], bytes] = os.urandom,
    reached: Callable[[str], None] | None = None,
) -> Service:
    """A service over this database and these gateways. ``reached`` is for tests that crash between steps.

    Raises SettingsError for a default currency that is none, and for peers that could never be told.
    """
    _check_currency(settings.default_currency)
    configured_peers(settings)
    database = Database(
        database_url,
        pool_size=settings.db_pool_size,
        prepared_statements=settings.db_prepared_statements,
        name=settings.service_name,
    )
    ids = Ids(database, random_bytes)
    metrics = Metrics()
    lane = Lane(
        database,
        ids,
        batch_max=settings.batch_max,
        queue_max=settings.queue_max,
        key_window_h=settings.idempotency_window_hours,
        measured=partial(metrics.batch_written, LANE),
        committed=partial(_count_concluded, metrics),
    )
    metrics.watch_queue(LANE, lambda: lane.depth)
    for account in gateways.accounts():
        _watch(metrics, account)
    watched = {} if reached is None else {"reached": reached}
    engine = Engine(
        database, lane, ids, gateways, _rules(settings, gateways), measured=metrics.gateway_call, **watched
    )
    return Service(settings, database, metrics, Payments(engine, configured_card_keys(settings)))


def _count_concluded(metrics: Metrics, change: Change) -> None:
    for operation in change.concluded:
        code = (operation.outcome or {}).get("code", "") if operation.state is OperationState.DECLINED else ""
        metrics.operation_concluded(
            operation.gateway, operation.kind, operation.method, operation.state, code
        )


def configured_card_keys(settings: Settings) -> CardKeys:
    """The keys of card fingerprints, none where none is given. Raises SettingsError."""
    given = settings.card_fingerprint_key
    try:
        return CardKeys() if given is None else card_keys(given.get_secret_value())
    except ValueError:
        raise SettingsError("CARD_FINGERPRINT_KEY must not repeat an id or a key") from None


def _watch(metrics: Metrics, account: Account) -> None:
    guard = account.guard
    metrics.watch_gateway(
        account.name,
        in_flight=lambda: guard.in_flight,
        breaker_open=lambda: guard.breaker is not BreakerState.CLOSED,
    )


def _check_currency(code: str) -> None:
    try:
        currency(code)
    except InvalidMoney as wrong:
        raise SettingsError(f"DEFAULT_CURRENCY: {wrong}") from None


def _rules(settings: Settings, gateways: Gateways) -> Rules:
    valid_s = {account.name: account.capabilities.authorization_valid_s for account in gateways.all()}
    return replace(rules(settings), authorization_valid_s=valid_s)


def rules(settings: Settings) -> Rules:
    """The limits and waits, as the settings choose them."""
    return Rules(
        max_charge_amount=settings.max_charge_amount,
        gateway_timeout_s=settings.gateway_timeout_s,
        lease_s=settings.operation_lease_s,
        pending_expiry_min=settings.pending_expiry_min,
        action_expiry_min=settings.action_expiry_min,
        authorization_margin_min=settings.authorization_margin_min,
        approval_expiry_min=settings.approval_expiry_min,
        key_window_h=settings.idempotency_window_hours,
        late_success=LateSuccessPolicy(settings.late_success_policy),
        problem_base=settings.public_url or "",
    )


def web(
    service: Service,
    fingerprint_key: bytes,
    draining: Callable[[], bool] = bool,
    *,
    open_mode: bool = False,
) -> FastAPI:
    """The HTTP service. ``draining`` says whether the process is about to end; ``open_mode``: nobody needs a key."""
    tokens = read_tokens(service.settings, fingerprint_key)
    access = Access(service.database, access_rules(service.settings, open_mode=open_mode), tokens)
    return create_app(
        Services(
            payments=service.payments,
            database=service.database,
            settings=service.settings,
            metrics=service.metrics,
            fingerprint_key=fingerprint_key,
            business_sums=partial(measured_sums, service),
            identify=access.identify,
            access=access,
            read_tokens=tokens,
            draining=draining,
        )
    )


def read_tokens(settings: Settings, fingerprint_key: bytes) -> ReadTokens:
    """By the keys that the settings name; without any, by one that is made of the fingerprints' key."""
    life_s = settings.read_token_min * 60
    if settings.read_token_key is None:
        return ReadTokens.derived(fingerprint_key, life_s)
    keys = settings.read_token_key.get_secret_value().split(",")
    return ReadTokens([key.encode() for key in keys], life_s)


def access_rules(settings: Settings, *, open_mode: bool) -> AccessRules:
    """How the settings guard the service."""
    return AccessRules(
        open_mode=open_mode,
        admin_port=settings.admin_port,
        trusted_proxies=networks(settings.trusted_proxies),
        rate_per_key=settings.rate_limit_per_key,
        rate_per_address=settings.rate_limit_per_address,
        rate_of_webhooks=settings.rate_limit_webhooks,
        concurrent=settings.max_concurrent_requests,
    )


async def measured_sums(service: Service) -> BusinessSums:
    """The sums, and beside them what waits in the database, for one look at the metrics."""
    service.metrics.now_waiting(None)
    sums = await business_sums(service.database)
    async with service.database.read() as session:
        service.metrics.now_waiting(await waiting(session))
    return sums


def worker_web(service: Service, draining: Callable[[], bool] = bool) -> FastAPI:
    """What a worker answers: /livez, /readyz, /health and /metrics, to its own installation."""
    return create_system_app(
        Services(
            payments=service.payments,
            database=service.database,
            settings=service.settings,
            metrics=service.metrics,
            fingerprint_key=b"",
            business_sums=partial(measured_sums, service),
            draining=draining,
        )
    )


async def business_sums(database: Database) -> BusinessSums:
    """The metrics that are true over all processes: what is new is folded in first, within a bound."""
    async with database.write() as session:
        await fold(session, FOLD_LIMIT)
    async with database.read() as session:
        return await read(session)


def configured_peers(settings: Settings) -> list[Peer]:
    """The services that are told, each in its shape. Raises SettingsError for what can never be sent."""
    return [_configured_peer(name, told, Shape(settings.peer_shape)) for name, told in settings.peers.items()]


def _configured_peer(name: str, told: PeerSettings, shape: Shape) -> Peer:
    try:
        return peer(PeerName(name), told.url, shape, verb=told.verb, path=told.path, body=told.body)
    except InvalidTemplate as wrong:
        raise SettingsError(f"{name.upper()}_SERVICE_{wrong.part.upper()}: {wrong}") from None


async def work(service: Service, stopping: asyncio.Event) -> None:
    """A worker: everything that happens without a caller. Ends when ``stopping`` is set and its batches are done."""
    settings, database = service.settings, service.database
    options = RelayOptions(
        timeout_s=settings.delivery_timeout_s, max_age_s=settings.delivery_max_age_h * 3600
    )
    seams = Seams(measured=service.metrics.peer_call)
    relay = Relay(database, configured_peers(settings), options, seams=seams)
    async with asyncio.TaskGroup() as group:
        group.create_task(relay.run(stopping))
        for loop in loops(service):
            group.create_task(loop.run(stopping))


def recovery_loops(payments: Payments) -> list[Loop]:
    """One for each gateway account, so that a slow one holds up no other's, and one for accounts that are gone."""
    names = [account.name for account in payments.engine.gateways.accounts()]
    return [
        Loop(f"operations: {name}", OperationRecovery(payments, share).run_once, IDLE_S)
        for name, share in shares(names).items()
    ]


def loops(service: Service) -> list[Loop]:
    """The worker's loops, but for the relay, which runs its own."""
    database, payments = service.database, service.payments
    window = timedelta(hours=service.settings.idempotency_window_hours)

    async def seal_once() -> int:
        async with database.write() as session:
            return await seal(session)

    async def fold_once() -> int:
        async with database.write() as session:
            return await fold(session, FOLD_LIMIT)

    async def forget_uses_once() -> int:
        async with database.write() as session:
            return await forget_uses(session, WINDOW_MAX_S)

    async def expire_keys_once() -> int:
        async with database.write() as session:
            return await expire_keys(session, window)

    async def forget_events_once() -> int:
        async with database.write() as session:
            return await forget_inbox(session, timedelta(days=service.settings.inbox_keep_days))

    inbox = InboxWorker(payments, service.metrics.webhook_applied)
    return [
        *recovery_loops(payments),
        Loop("inbox", inbox.run_once, IDLE_S),
        Loop("inbox_age", forget_events_once, KEY_EXPIRY_IDLE_S),
        Loop("expiry", PaymentExpiry(payments).run_once, IDLE_S),
        Loop("approvals", ApprovalExpiry(payments).run_once, SEAL_IDLE_S),
        Loop("seals", seal_once, SEAL_IDLE_S),
        Loop("sums", fold_once, SEAL_IDLE_S),
        Loop("limit uses", forget_uses_once, KEY_EXPIRY_IDLE_S),
        Loop("keys", expire_keys_once, KEY_EXPIRY_IDLE_S),
    ]
