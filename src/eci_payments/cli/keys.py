"""``eci-payments keys``: API keys are made, listed, limited, rotated and revoked; each act is in the trail."""

from __future__ import annotations

import asyncio
import secrets
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from eci_payments.cli.errors import WRONG_SETTING, CommandError
from eci_payments.cli.owning import act, existing, owning
from eci_payments.domain.api_keys import SECRET_BYTES, Scope, new_key, prefix, presented
from eci_payments.domain.ids import MerchantId
from eci_payments.store.admin_events import record_one
from eci_payments.store.api_keys import (
    StoredKey,
    add_key,
    end_key_in,
    find_key,
    limit_key,
    list_keys,
    revoke_key,
)

if TYPE_CHECKING:
    from eci_payments.store.session import WriteSession

SHOWN_ONCE = "The key is shown this once; only its hash is stored."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new key is to be. ``days`` None: it never ends; ``per_second`` None: limited as the settings say."""

    name: str
    scopes: frozenset[Scope]
    days: int | None
    per_second: int | None


def create(merchant: int, name: str, scopes: str, expires_days: int | None, per_second: int | None) -> None:
    """Make a key and print it."""
    key = asyncio.run(_create(merchant, Wanted(name, scopes_of(scopes), expires_days, per_second)))
    print(SHOWN_ONCE, file=sys.stderr)
    typer.echo(key)


def show(merchant: int) -> None:
    """Print a merchant's keys."""
    for each in asyncio.run(_list(merchant)):
        typer.echo(_line(each))


def rotate(merchant: int, key_id: str, grace_hours: float, expires_days: int | None) -> None:
    """Make the key that follows this one, and print it."""
    key = asyncio.run(_rotate(merchant, id_of(key_id), grace_hours, expires_days))
    print(f"{SHOWN_ONCE} The old one works for {grace_hours:g} h more.", file=sys.stderr)
    typer.echo(key)


def limit(merchant: int, key_id: str, per_second: int | None) -> None:
    """Change a key's rate limit."""
    asyncio.run(_limit(merchant, id_of(key_id), per_second))
    said = f"{per_second} requests per second" if per_second else "what RATE_LIMIT_PER_KEY says"
    typer.echo(f"{id_of(key_id)} is limited to {said}, within 5 s everywhere.")


def revoke(merchant: int, key_id: str) -> None:
    """End a key."""
    asyncio.run(_revoke(merchant, id_of(key_id)))
    typer.echo(f"{id_of(key_id)} is revoked: within 5 s no process takes it any more.")


def scopes_of(text: str) -> frozenset[Scope]:
    """The scopes in a list with commas; ``all`` is every one. Raises CommandError."""
    if text == "all":
        return frozenset(Scope)
    try:
        return frozenset(Scope(each.strip()) for each in text.split(","))
    except ValueError:
        raise CommandError(
            f"--scopes must be of {', '.join(Scope)}, with commas between, or all", WRONG_SETTING
        ) from None


def id_of(text: str) -> str:
    """The id in what a list shows of a key (``eci_1_abcdefghijkl``), or the id itself."""
    return text.rpartition("_")[2]


async def _create(merchant: int, wanted: Wanted) -> str:
    async with owning() as session:
        return await _made(session, await existing(session, merchant), wanted)


async def _made(session: WriteSession, merchant: MerchantId, wanted: Wanted) -> str:
    text = new_key(merchant, secrets.token_bytes(SECRET_BYTES))
    key = presented(text)
    if key is None or not await add_key(
        session, key, wanted.name, wanted.scopes, wanted.days, wanted.per_second
    ):
        raise CommandError("the key could not be stored; try again")
    listed = ",".join(sorted(wanted.scopes))
    await record_one(session, act(merchant, "key created", f"{key.key_id} {wanted.name!r} ({listed})"))
    return text


async def _list(merchant: int) -> list[StoredKey]:
    async with owning() as session:
        return await list_keys(session, await existing(session, merchant))


async def _rotate(merchant: int, key_id: str, grace_hours: float, days: int | None) -> str:
    async with owning() as session:
        old = await find_key(session, merchant, key_id)
        if old is None or not old.is_usable:
            raise CommandError(f"merchant {merchant} has no key {key_id} that still works")
        wanted = Wanted(old.name, old.scopes, days or _lifetime_days(old), old.rate_per_second)
        text = await _made(session, old.merchant_id, wanted)
        await end_key_in(session, merchant, key_id, grace_hours)
        await record_one(session, act(old.merchant_id, "key rotated", f"{key_id} ends in {grace_hours:g} h"))
    return text


def _lifetime_days(key: StoredKey) -> int | None:
    """How long it was made for: whoever limits a key's life means that of the one that follows it as well."""
    if key.expires_at is None:
        return None
    return max(1, round((key.expires_at - key.created_at) / timedelta(days=1)))


async def _limit(merchant: int, key_id: str, per_second: int | None) -> None:
    async with owning() as session:
        known = await existing(session, merchant)
        if not await limit_key(session, known, key_id, per_second):
            raise CommandError(f"merchant {merchant} has no key {key_id}")
        await record_one(
            session, act(known, "key limited", f"{key_id} to {per_second or 'the default'} per second")
        )


async def _revoke(merchant: int, key_id: str) -> None:
    async with owning() as session:
        known = await existing(session, merchant)
        if not await revoke_key(session, known, key_id):
            raise CommandError(f"merchant {merchant} has no key {key_id}, or it is revoked already")
        await record_one(session, act(known, "key revoked", key_id))


def _line(key: StoredKey) -> str:
    state = "works" if key.is_usable else "revoked" if key.revoked_at else "expired"
    times = {"made": key.created_at, "expires": key.expires_at, "revoked": key.revoked_at}
    said = "  ".join(f"{name} {when:%Y-%m-%dT%H:%M:%SZ}" for name, when in times.items() if when)
    used = f"last used {key.last_used_at:%Y-%m-%dT%H:%M:%SZ}" if key.last_used_at else "never used"
    rate = f"  {key.rate_per_second}/s" if key.rate_per_second else ""
    return (
        f"{prefix(key.merchant_id, key.key_id)}  {state:<7}  {','.join(sorted(key.scopes))}  {said}  {used}"
        f"{rate}  {key.name}"
    )
