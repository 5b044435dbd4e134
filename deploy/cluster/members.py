"""The members of the group, and how the programs of the cluster ask them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

NAMES = ("mysql-1", "mysql-2", "mysql-3")
# A row for each member that the asked one knows of. Outside a group that is itself alone.
PEERS_SQL = """SELECT MEMBER_HOST, MEMBER_STATE, MEMBER_ROLE
    FROM performance_schema.replication_group_members"""
_SECRETS = Path("/run/secrets")


@dataclass(frozen=True)
class Peer:
    """What one member says of another, or of itself."""

    name: str
    state: str  # ONLINE, RECOVERING, UNREACHABLE, OFFLINE or ERROR
    role: str  # PRIMARY, SECONDARY or nothing


def is_online(name: str, peers: Iterable[Peer]) -> bool:
    """Whether a member is part of a group that can decide: ONLINE, and it sees a majority."""
    states = {peer.name: peer.state for peer in peers}
    unreachable = sum(state == "UNREACHABLE" for state in states.values())
    return states.get(name) == "ONLINE" and 2 * unreachable < len(states)


def connect(member: str, user: str, timeout: float | None) -> pymysql.Connection[Any]:
    """Connect to one member over TLS, as the user whose password is in the file of its name.

    Args:
        member: the host name, which its certificate must have.
        user: the user of MySQL.
        timeout: how long one answer may take, in seconds.

    """
    return pymysql.connect(
        host=member,
        user=user,
        password=(_SECRETS / user).read_text(encoding="utf-8"),
        connect_timeout=2,
        read_timeout=timeout,
        write_timeout=timeout,
        autocommit=True,
        ssl_ca=str(_SECRETS / "ca.pem"),
        ssl_verify_cert=True,
        ssl_verify_identity=True,
    )


def say(text: str) -> None:
    """Log one line."""
    print(f"loguserapp: {text}", file=sys.stderr, flush=True)  # noqa: T201
