"""Client networks: rate limits count an IPv4 address, or the /64 of an IPv6 subscriber."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from app.config import IPNetwork

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 §2.1
_SUBSCRIBER_BITS = 64  # RFC 6177: a subscriber gets a /64 at least


def is_within(address: str, networks: Iterable[IPNetwork]) -> bool:
    """Tell whether a client address, mapped as by `network`, is in one of these networks."""
    own = network(address)
    try:
        ip = ipaddress.ip_address(address if "/" in own else own)
    except ValueError:
        return False
    return any(ip in candidate for candidate in networks)


@lru_cache(maxsize=4096)
def network(address: str) -> str:
    """The network of a client address, as text.

    Args:
        address: an IP address, as the peer's socket or a trusted proxy names it.

    Returns:
        An IPv4 address as it is, also where it comes mapped into IPv6 (RFC 4291 §2.5.5.2) or
        through NAT64; of any other IPv6 address its /64. Text that is not an IP address is
        returned unchanged.

    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    if ip in _NAT64:
        return str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return str(ipaddress.IPv6Network((int(ip), _SUBSCRIBER_BITS), strict=False))


def rotation_network(address: str) -> str:
    """The network within which a client's address may change between two refreshes.

    A phone moves within its provider's IPv4 /24; an IPv6 subscriber has a /64.
    """
    own = network(address)
    try:
        return str(ipaddress.ip_network((own, 24), strict=False))
    except ValueError:  # a /64 already, or no address
        return own
