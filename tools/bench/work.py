"""What the load generator asks for: each kind makes its n-th request and names the answer that it wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

CREATED, OK = 201, 200


class Work(Protocol):
    """One kind of request. Travels to the load generator's process, so it holds plain values only."""

    @property
    def wanted(self) -> int:
        """The status of a right answer."""
        ...

    def maker(self) -> Callable[[int], bytes]:
        """Makes the n-th request, counted from 0."""
        ...


@dataclass(frozen=True, slots=True)
class Charges:
    """Charges of orders that nobody used before: ``run`` is in all their names, and must be new."""

    run: str
    method: str = "UPI"
    wanted: int = CREATED

    def maker(self) -> Callable[[int], bytes]:
        """As `Work` says."""
        return requests(self.run, self.method)


@dataclass(frozen=True, slots=True)
class Replays:
    """The first ``count`` requests of an earlier run of `Charges`, byte for byte, over and over."""

    run: str
    count: int
    wanted: int = CREATED

    def maker(self) -> Callable[[int], bytes]:
        """As `Work` says."""
        make = requests(self.run)
        return lambda number: make(number % self.count)


@dataclass(frozen=True, slots=True)
class Reads:
    """GETs of these paths, over and over."""

    paths: tuple[str, ...]
    wanted: int = OK

    def maker(self) -> Callable[[int], bytes]:
        """As `Work` says."""
        made = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in self.paths]
        return lambda number: made[number % len(made)]


def requests(run: str, method: str = "UPI") -> Callable[[int], bytes]:
    """Makes the n-th charge of this run: an order and a key that nobody used before."""
    head = (
        "POST /v1/payments/charge HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Idempotency-Key: {run}-{number:08d}\r\nContent-Length: {length}\r\n\r\n"
    )
    body = '{{"order_id":"{run}-{number:08d}","user_id":{user:06d},"amount":"1499.00","payment_method":"{method}"}}'
    length = len(body.format(run=run, number=0, user=100_000, method=method))

    def make(number: int) -> bytes:
        user = 100_000 + number % 50_000
        return (head + body).format(run=run, number=number, length=length, user=user, method=method).encode()

    return make
