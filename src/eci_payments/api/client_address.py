"""Where a request comes from: the connection's other end, or what proxies that we trust say of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

Network = IPv4Network | IPv6Network
HOPS_MAX = 20
"""Addresses of X-Forwarded-For that are looked at, from its end."""


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks that these texts are."""
    return tuple(ip_network(text) for text in texts)


def client_address(scope: Scope, trusted: Sequence[Network]) -> str | None:
    """The address nearest to us that no trusted proxy has. Whatever stands beyond it anybody could have written."""
    client = scope.get("client")
    if client is None or not trusted or not _is_in(client[0], trusted):
        return client[0] if client else None
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    nearest: str = client[0]
    for hop in reversed(forwarded.decode("latin-1").split(",")[-HOPS_MAX:]):
        address = _address(hop.strip())
        if address is None:
            return nearest
        nearest = str(address)
        if not _is_in(nearest, trusted):
            return nearest
    return nearest


def limited_as(address: str) -> str:
    """What counts as one address: of IPv6 the /64 that one subscriber has."""
    known = _address(address)
    if isinstance(known, IPv6Address):
        return str(ip_network((known, 64), strict=False))
    return address


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    address = _address(host)
    return address.is_loopback if address is not None else host == "localhost"


def _is_in(text: str, trusted: Sequence[Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in trusted)


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
