"""What limits count a client address by."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from app.core.networks import is_within, network


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:207", "192.0.2.7"),
        ("64:ff9b::192.0.2.7", "192.0.2.7"),
        ("64:ff9b:1::192.0.2.7", "64:ff9b:1::/64"),  # RFC 8215: a network of one's own
        ("fe80::1%eth0", "fe80::/64"),
        ("192.0.2.07", "192.0.2.07"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_a_client_is_counted_by_its_network(address: str, expected: str) -> None:
    assert network(address) == expected


@pytest.mark.parametrize(
    ("address", "within"),
    [
        ("10.0.0.5", True), ("::ffff:10.0.0.5", True), ("64:ff9b::10.0.0.5", True),
        ("10.0.0.6", False), ("192.168.7.9", True), ("192.168.8.1", False),
        ("2001:db8::5", True), ("2001:db8::6", False), ("unix:", False), ("", False),
    ],
)  # fmt: skip
def test_an_address_is_within_networks_in_each_of_its_spellings(address: str, within: bool) -> None:
    networks = [ip_network(text) for text in ("10.0.0.5", "192.168.7.0/24", "2001:db8::5")]
    assert is_within(address, networks) is within
