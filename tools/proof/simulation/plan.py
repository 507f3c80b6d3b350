"""What a seed asks for: the commands of its clients and the faults that befall it, as data that can be left out.

A run is its seed and what is left out of its plan: so a failing seed shrinks by leaving out what it fails without.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

LAST_FAULT_AT = 220
"""Turns after which no fault begins any more: most runs have ended by then."""
ENDINGS = (5, 21, 22, 23, 24, 26, 27, 28, 29, 32, 35, 36, 51)
"""Last two digits of amounts by which the gateway is made to decline, to be silent, to be late, to ask the customer."""
PEERS = ("order", "inventory", "notification")


@dataclass(frozen=True, slots=True)
class Command:
    """One request of one client. ``after`` is how many seconds it waits before it sends it.

    ``key`` names the request: two commands with one key are repeats of each other, if they ask for the same.
    ``patience`` is how often it is sent again, with its key, while there is no final answer; with ``hangs_up`` the
    client does not wait for its first answer.
    """

    id: str
    client: int
    verb: str
    order: str
    key: str
    amount_minor: int | None = None
    currency: str = "INR"
    method: str = "UPI"
    said: str = ""
    final: bool = True
    after: float = 0.0
    patience: int = 2
    hangs_up: bool = False

    def __str__(self) -> str:
        amount = "" if self.amount_minor is None else f" {self.amount_minor} {self.currency}"
        more = " ".join(word for word in (self.said, "" if self.final else "not final") if word)
        return f"{self.id} client {self.client}: {self.verb} {self.order}{amount} {more} key {self.key}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong: the ``at``-th call, commit or turn, to ``whom``, for so many ``seconds``."""

    id: str
    kind: str
    at: int
    how: str = ""
    whom: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        words = (
            self.kind,
            self.how,
            self.whom,
            f"at {self.at}",
            f"{self.seconds:g} s" if self.seconds else "",
        )
        return f"{self.id} {' '.join(word for word in words if word)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it. ``accounts`` are gateways, and whether each can be asked by our own key."""

    seed: int
    commands: tuple[Command, ...]
    faults: tuple[Fault, ...]
    accounts: tuple[tuple[str, bool], ...]
    late_policy: str
    apis: int
    workers: int
    left_out: frozenset[str] = field(default=frozenset())

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of everything that can be left out."""
        return (*(fault.id for fault in self.faults), *(command.id for command in self.commands))

    def without(self, names: Collection[str]) -> Plan:
        """The same, less these."""
        return Plan(
            self.seed,
            tuple(c for c in self.commands if c.id not in names),
            tuple(f for f in self.faults if f.id not in names),
            self.accounts,
            self.late_policy,
            self.apis,
            self.workers,
            self.left_out | frozenset(names),
        )


def plan_of(seed: int) -> Plan:
    """What this seed asks for."""
    chance = Random(f"plan {seed}")
    apis, workers = chance.randint(1, 2), chance.randint(1, 2)
    accounts = [("alpha", not _happens(chance, 0.15))]
    if _happens(chance, 0.35):
        accounts.append(("beta", not _happens(chance, 0.3)))
    return Plan(
        seed,
        tuple(_Commands(chance).all()),
        tuple(_faults(chance, apis, workers)),
        tuple(accounts),
        chance.choices(("refund", "accept", "hold"), (6, 3, 1))[0],
        apis,
        workers,
    )


def _happens(chance: Random, share: float) -> bool:
    return chance.random() < share


@dataclass(slots=True)
class _Commands:
    """The orders' stories, dealt out to clients."""

    chance: Random
    made: list[Command] = field(default_factory=list)

    def all(self) -> list[Command]:
        for number in range(self.chance.randint(1, 3)):
            self._story(f"order-{number + 1}")
        return self.made

    def _story(self, order: str) -> None:
        chance = self.chance
        kind = chance.choices(("charge", "authorize", "create", "cod"), (8, 5, 3, 2))[0]
        total = chance.choice((10000, 25000, 99900)) + self._ending(0.4)
        currency = chance.choices(("INR", "USD"), (9, 1))[0]
        method = "COD" if kind == "cod" else chance.choice(("UPI", "CREDIT_CARD", "WALLET"))
        method = "CREDIT_CARD" if method == "UPI" and currency != "INR" else method
        takes = {"authorize": "authorize", "create": "create"}.get(kind, "charge")
        first = self._add(takes, order, amount_minor=total, currency=currency, method=method)
        if kind == "create":
            self._add(chance.choices(("confirm", "status", "cancel"), (8, 2, 1))[0], order, said="COMPLETED")
        for _ in range(chance.randint(1, 6)):
            self._follow(order, kind, total, first)

    def _follow(self, order: str, kind: str, total: int, first: Command) -> None:
        chance = self.chance
        verbs = {
            "charge": (("refund", 5), ("act", 2), ("cancel", 2), ("status", 2), ("confirm", 1), ("again", 2)),
            "authorize": (
                ("capture", 6), ("refund", 4), ("cancel", 3), ("act", 2), ("status", 1), ("again", 2),
            ),
            "create": (("confirm", 3), ("refund", 4), ("cancel", 2), ("act", 2), ("status", 2), ("again", 1)),
            "cod": (
                ("collect", 5), ("refund", 3), ("payout", 3), ("remit", 2), ("cancel", 1), ("status", 1), ("again", 1),
            ),
        }[kind]  # fmt: skip
        verb = chance.choices([verb for verb, _ in verbs], [weight for _, weight in verbs])[0]
        match verb:
            case "again":
                self._again(order, total, first)
            case "refund" | "capture":
                part = chance.choice((None, total // 2, total // 3, 5000 + self._ending(0.5), total + 100))
                self._add(verb, order, amount_minor=part, final=_happens(chance, 0.5))
            case "act":
                self._add(verb, order, said=chance.choices(("approve", "decline"), (3, 1))[0])
            case "status":
                said = chance.choice(("COMPLETED", "FAILED", "CANCELLED", "AUTHORIZED", "REFUNDED"))
                self._add(verb, order, said=said)
            case "collect":
                said = chance.choices(("taken", "refused"), (4, 1))[0]
                part = chance.choice((None, None, total // 2, total + 100))
                self._add(verb, order, said=said, amount_minor=part)
            case _:
                self._add(verb, order)

    def _again(self, order: str, total: int, first: Command) -> None:
        """Somebody asks again: with the same key, with the same key for another amount, or with a key of their own."""
        chance = self.chance
        how = chance.choice(("same", "same", "other payload", "other key", "other key"))
        amount = first.amount_minor if how != "other payload" else total + 700
        if how == "other key":
            amount = chance.choice((total, 12300 + self._ending(0.3)))
        self._add(
            first.verb, order, amount_minor=amount, currency=first.currency, method=first.method,
            key=None if how == "other key" else first.key,
        )  # fmt: skip

    def _ending(self, often: float) -> int:
        return self.chance.choice(ENDINGS) if _happens(self.chance, often) else 0

    def _add(
        self,
        verb: str,
        order: str,
        *,
        amount_minor: int | None = None,
        currency: str = "INR",
        method: str = "UPI",
        said: str = "",
        final: bool = True,
        key: str | None = None,
    ) -> Command:
        chance, name = self.chance, f"c{len(self.made) + 1}"
        command = Command(
            name,
            chance.randint(1, 3),
            verb,
            order,
            key or f"key-{name}",
            amount_minor,
            currency,
            method,
            said,
            final,
            chance.choices((0.0, 0.5, 3.0, 40.0, 400.0), (6, 3, 3, 2, 1))[0],
            chance.choices((0, 1, 3), (2, 3, 2))[0],
            _happens(chance, 0.1),
        )
        self.made.append(command)
        return command


def _faults(chance: Random, apis: int, workers: int) -> list[Fault]:
    calm = _happens(chance, 0.15)
    found: list[Fault] = []
    processes = [f"api-{n + 1}" for n in range(apis)] + [f"worker-{n + 1}" for n in range(workers)]

    def add(
        most: int, kind: str, at: int, how: tuple[str, ...] = ("",), whom: tuple[str, ...] = ("",)
    ) -> None:
        for _ in range(0 if calm else chance.randint(0, most)):
            seconds = chance.choice((0.3, 2.0, 12.0, 35.0, 90.0, 700.0))
            found.append(
                Fault(
                    f"f{len(found) + 1}",
                    kind,
                    chance.randint(1, at),
                    chance.choice(how),
                    chance.choice(whom),
                    seconds,
                )
            )

    add(4, "call", 9, CALL_FAULTS)
    add(2, "inquiry", 8, ("refused", "cut", "hang"))
    add(2, "notice", 8, NOTICE_FAULTS)
    add(4, "commit", 90, ("lost before", "lost after", "lost after", "slow", "slow"))
    add(2, "outage", LAST_FAULT_AT, ("refused", "hang", "500", "500 after", "deaf"), PEERS)
    add(2, "kill", LAST_FAULT_AT, whom=tuple(processes))
    add(1, "pause", LAST_FAULT_AT, whom=tuple(processes))
    add(2, "jump", LAST_FAULT_AT)
    add(1, "away", LAST_FAULT_AT)
    return found


CALL_FAULTS = (
    "refused", "cut before", "cut after", "hang before", "hang after", "error then success", "twice", "late", "late",
)  # fmt: skip
"""``late``: whoever called is told nothing, and the request arrives seconds later, perhaps very late."""
NOTICE_FAULTS = (
    "webhook_late", "webhook_double", "webhook_reorder", "webhook_bad_signature", "webhook_wrong_amount",
)  # fmt: skip
