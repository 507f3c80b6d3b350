"""Every operation there is, as data: what comes before it, what is done, and which effect it has at the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eci_payments.domain.methods import PaymentMethod
from eci_payments.domain.payment import PaymentStatus
from proof.acts import (
    ACTION,
    DECLINED,
    DENIED_UNSAID,
    LATE,
    PENDING,
    UNSAID,
    Capturing,
    Charging,
    Collecting,
    Deciding,
    Dying,
    Hook,
    Looping,
    Losing,
    Refunding,
    Saying,
    Waiting,
    arrives_after_all,
    cancel,
    confirm,
    create,
    customer_approves,
    deliver,
    dispute_elsewhere,
    expire,
    limit_users,
    money_comes_late,
    open_the_post,
    pay_online,
    pay_out,
    recover,
    refund_elsewhere,
    remit,
    return_late_money,
)
from proof.house import LEASE_S

HALF = "50.00"
DAY_S = 86400.0
S = PaymentStatus
COD = Charging(method=PaymentMethod.COD)
AUTHORIZE = Charging(capture=False)
PART = Capturing(HALF, final=False, key="part")


@dataclass(frozen=True)
class Scenario:
    """One operation. With ``calls`` it calls the gateway, and is crossed with every fault.

    ``effect`` is the kind of operation that must have happened there exactly once if the client is told that it did,
    and not at all if not. ``by_id``: at a gateway that is asked by its own id. ``away``: after one that
    nobody answers at. ``repeats``: the client asks again with the same key after the crash. ``told``: the gateway's
    webhooks are part of it.
    """

    name: str
    act: Any
    before: tuple[Any, ...] = ()
    calls: bool = False
    effect: str | None = None
    by_id: bool = False
    away: bool = False
    repeats: bool = True
    told: bool = False


def _told(name: str, *before: Any) -> Scenario:
    """What the gateway tells of by itself."""
    return Scenario(name, open_the_post, before, repeats=False, told=True)


def _works(name: str, act: Any, *before: Any, calls: bool = False) -> Scenario:
    """What a worker does by itself."""
    return Scenario(name, act, before, calls=calls, repeats=False)


def _late(charging: Charging) -> tuple[Any, ...]:
    """A request that travelled for so long that it was given up, and what is to be given back of it is begun."""
    return (
        Losing(charging),
        Waiting(LEASE_S + 1),
        recover,
        arrives_after_all,
        Waiting(61),
        recover,
        Waiting(LEASE_S),
    )


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("charge", Charging(), calls=True, effect="charge"),
    Scenario("charge, prepared", Charging(), calls=True, effect="charge", by_id=True),
    Scenario("charge, goes on to the next gateway", Charging(), calls=True, effect="charge", away=True),
    Scenario("charge, declined", Charging(DECLINED), calls=True),
    Scenario("charge, customer acts", Charging(ACTION), calls=True),
    Scenario("charge, pending", Charging(PENDING), calls=True),
    Scenario("authorize", AUTHORIZE, calls=True, effect="authorize"),
    Scenario("authorize, prepared", AUTHORIZE, calls=True, effect="authorize", by_id=True),
    Scenario("capture", Capturing(), (AUTHORIZE,), calls=True, effect="capture"),
    Scenario("capture in part", Capturing(HALF, final=False), (AUTHORIZE,), calls=True, effect="capture"),
    Scenario("capture the rest", Capturing(), (AUTHORIZE, PART), calls=True),
    Scenario("void", cancel, (AUTHORIZE,), calls=True, effect="void"),
    Scenario("void the rest", cancel, (AUTHORIZE, PART), calls=True, effect="void"),
    Scenario("refund", Refunding(), (Charging(),), calls=True, effect="refund"),
    Scenario("refund in part", Refunding(HALF), (Charging(),), calls=True, effect="refund"),
    Scenario("refund the rest", Refunding(), (Charging(), Refunding(HALF, key="part")), calls=True),
    Scenario("create", create),
    Scenario("confirm", confirm, (create,), calls=True, effect="charge"),
    Scenario("confirm, customer acted", confirm, (Charging(ACTION), customer_approves)),
    Scenario("cancel what was never charged", cancel, (create,)),
    Scenario("cancel what waits for the customer", cancel, (Charging(ACTION),), calls=True),
    Scenario("cash on delivery", COD),
    Scenario("cash paid online", pay_online, (COD,), calls=True, effect="charge"),
    Scenario("collect", Collecting(), (COD,)),
    Scenario("collect a part", Collecting(HALF), (COD,)),
    Scenario("refused at the door", Collecting(refused=True), (COD,)),
    Scenario("remit", remit, (COD, Collecting())),
    Scenario("refund by hand", Refunding(), (COD, Collecting())),
    Scenario("payout", pay_out, (COD, Collecting(), Refunding())),
    Scenario("status: taken outside", Saying(S.COMPLETED), (create,)),
    Scenario("status: failed by hand", Saying(S.FAILED), (create,)),
    Scenario("status: ends an unknown charge, taken", Saying(S.COMPLETED), (Charging(UNSAID),)),
    Scenario("status: ends an unknown charge, denied", Saying(S.FAILED), (Charging(DENIED_UNSAID),)),
    Scenario("repeat of a dead request", Charging(), (Dying(Charging(), "call / charge: before call"),)),
    _works("expiry", expire, create, Waiting(3700)),
    _works("expiry, customer never acted", expire, Charging(ACTION), Waiting(1000), calls=True),
    _works("expiry of an authorization", expire, AUTHORIZE, Waiting(7 * DAY_S), calls=True),
    _works("expiry of what is left of it", expire, AUTHORIZE, PART, Waiting(7 * DAY_S), calls=True),
    _works(
        "late money",
        return_late_money,
        Charging(LATE),
        Waiting(LEASE_S + 1),
        recover,
        money_comes_late,
        Waiting(61),
    ),
    _works(
        "late authorization",
        return_late_money,
        Charging(LATE, capture=False),
        Waiting(LEASE_S + 1),
        recover,
        money_comes_late,
        Waiting(61),
    ),
    _works("late money goes back", recover, *_late(Charging()), calls=True),
    _works("late authorization is released", recover, *_late(AUTHORIZE), calls=True),
    _works("webhook", Hook(), Charging(UNSAID)),
    _works("webhooks, doubled", Hook(times=2), Charging(UNSAID)),
    _works("webhook, another amount", Hook(more=1), Charging(UNSAID)),
    _told("webhook, a refund made elsewhere", Charging(), refund_elsewhere),
    _told("webhook, a dispute opened", Charging(), dispute_elsewhere),
    _told("webhook, a dispute won", Charging(), dispute_elsewhere, open_the_post, Deciding("won")),
    _told("webhook, a dispute lost", Charging(), dispute_elsewhere, open_the_post, Deciding("lost")),
    _told(
        "webhook, a dispute of what was refunded",
        Charging(),
        Refunding(),
        dispute_elsewhere,
        open_the_post,
        Deciding("lost"),
    ),
    _works("webhook, nothing of ours", Hook(unread=True), Charging()),
    _works("webhooks forgotten", Looping("inbox_age"), Charging(UNSAID), Hook(), Waiting(90 * DAY_S)),
    _works("delivery", deliver, Charging()),
    _works("delivery of a failure", deliver, Charging(DECLINED)),
    _works("seals", Looping("seals"), Charging()),
    _works("sums", Looping("sums"), Charging()),
    _works("limits forgotten", Looping("limit uses"), limit_users, Charging(), Waiting(40 * DAY_S)),
    _works("expiry of keys", Looping("keys"), Charging(), Waiting(2 * DAY_S)),
)
"""Each is run at every one of its crash points, `calls` also under every fault."""
