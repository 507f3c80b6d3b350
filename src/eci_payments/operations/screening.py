"""What a charge is held against, put together from its merchant's limits, its payer and its instrument."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from eci_payments.domain.errors import Refusal, RefusalCode
from eci_payments.domain.limits import BlockKind, LimitKind
from eci_payments.domain.methods import Card, Upi
from eci_payments.domain.payment import Payment
from eci_payments.domain.screening import Screen, Window

if TYPE_CHECKING:
    from eci_payments.domain.card_fingerprints import CardKeys
    from eci_payments.domain.change import Change
    from eci_payments.domain.ids import UserId
    from eci_payments.domain.limits import Limits
    from eci_payments.domain.methods import Instrument
    from eci_payments.operations.commands import Caller, Charge, Create

log = logging.getLogger(__name__)


def screen_of(
    caller: Caller,
    limits: Limits,
    cards: tuple[str, ...],
    about: Charge | Create | Payment,
    *,
    instrument: Instrument | None = None,
    takes_money: bool = True,
) -> Screen | None:
    """How a charge ``about`` this order is screened; None where its merchant limits nothing that concerns it.

    ``cards`` are the card's fingerprints, the present key's first. What only registers a payment (``takes_money``
    false) is held against the block list and the limit of one charge, and does not count.
    """
    user_id, currency = about.user_id, about.currency
    if not limits.screens(currency):
        return None
    _refuse_unrecognisable(limits, cards, currency, instrument)
    subjects = {LimitKind.USER: (f"user:{user_id}",), LimitKind.CARD: tuple(f"card:{each}" for each in cards)}
    windows = [
        Window(limit, subjects[kind])
        for kind in (LimitKind.USER, LimitKind.CARD)
        if takes_money and subjects[kind] and (limit := limits.of(kind, currency)) is not None
    ]
    return Screen(
        merchant_id=caller.merchant_id,
        currency=currency,
        actor=caller.actor,
        about=f"order {about.order_id} of user {user_id}",
        origin=caller.origin,
        correlation_id=caller.correlation_id,
        payment_id=about.payment_id if isinstance(about, Payment) else None,
        most=limits.of(LimitKind.CHARGE, currency),
        windows=tuple(windows),
        blocked=_blockable(limits, user_id, cards, instrument),
        counts=tuple(window.subjects[0] for window in windows),
    )


def _refuse_unrecognisable(
    limits: Limits, cards: tuple[str, ...], currency: str, instrument: Instrument | None
) -> None:
    """A card that cannot be told from others is not charged where cards are limited: the safe side of a lost key."""
    needed = BlockKind.CARD in limits.blocked or limits.of(LimitKind.CARD, currency) is not None
    if needed and isinstance(instrument, Card) and not cards:
        log.error("cards are limited, and CARD_FINGERPRINT_KEY is not given: the charge is refused")
        raise Refusal(RefusalCode.CHARGE_REFUSED, "This charge is not accepted.")


def _blockable(
    limits: Limits, user_id: UserId, cards: tuple[str, ...], instrument: Instrument | None
) -> tuple[str, ...]:
    """Everything about the charge that could be on the list, of the kinds that the list has."""
    subjects = [(BlockKind.USER, user_id), *((BlockKind.CARD, each) for each in cards)]
    if isinstance(instrument, Card):
        subjects.append((BlockKind.BIN, instrument.bin))
    if isinstance(instrument, Upi) and instrument.vpa:
        subjects.append((BlockKind.UPI, instrument.vpa.lower()))
    return tuple(f"{kind}:{value}" for kind, value in subjects if kind in limits.blocked)


def fingerprints(keys: CardKeys, caller: Caller, instrument: Instrument | None) -> tuple[str, ...]:
    """Of the card that is charged, under every key; none for what is no card."""
    return keys.fingerprints(caller.merchant_id, instrument.number) if isinstance(instrument, Card) else ()


def with_card(change: Change, cards: tuple[str, ...]) -> Change:
    """The change with the card's fingerprint on the operation that it begins."""
    if not cards:
        return change
    writes = tuple(
        replace(w, operation=replace(w.operation, card_fingerprint=cards[0]))
        if w.expected_epoch is None
        else w
        for w in change.operations
    )
    return replace(change, operations=writes)
