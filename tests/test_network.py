"""What limits count a client address by."""

from __future__ import annotations

import pytest

from app.network import network


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
