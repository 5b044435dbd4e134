"""Tells HAProxy which member is the primary: the service `roles` of the cluster.

Each member is asked five times a second by a thread of its own, so that one that hangs delays no
other. `GET /primary/mysql-1` and `GET /readable/mysql-1` are answered from what was said last:
200 or 503, at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deploy.cluster.members import NAMES, PEERS_SQL, Peer, connect, is_online, say

_PORT = 8000
_INTERVAL = 0.2
# An answer counts for this long, and an asked member has this long to give the next one.
_FRESH = 1.5
# From the one that lacks least.
_STATES = ("ONLINE", "ERROR", "OFFLINE", "RECOVERING", "UNREACHABLE")
_SELF_SQL = """SELECT @@GLOBAL.super_read_only, COALESCE(MAX(VIEW_ID), '')
    FROM performance_schema.replication_group_member_stats WHERE MEMBER_ID = @@server_uuid"""


@dataclass(frozen=True)
class View:
    """What one member says of itself and of its group."""

    member: str
    read_only: bool
    number: tuple[int, ...]  # grows with each change of the group's members
    peers: tuple[Peer, ...]
    was_online: bool = False  # since it started

    @property
    def state(self) -> str:
        """What the member says of itself."""
        return next((peer.state for peer in self.peers if peer.name == self.member), "OFFLINE")


def primary_of(views: Collection[View]) -> str | None:
    """Return the member that may be written to, if there is one.

    It says so itself, it is writable, and the member with the newest view says so too: a primary
    that was suspended, and replaced meanwhile, has an older one when it goes on.
    """
    online = [view for view in views if is_online(view.member, view.peers)]
    newest = max(online, key=lambda view: view.number, default=None)
    for view in online:
        named = Peer(view.member, "ONLINE", "PRIMARY")
        if not view.read_only and named in view.peers and newest and named in newest.peers:
            return view.member
    return None


def reader_of(views: Collection[View]) -> str | None:
    """Return a member that answers reads and refuses writes, while there is no primary.

    One that is part of a group, else one that was until it lost sight of the others. One that has
    only started may lack much, and is none.
    """
    if primary_of(views):
        return None
    readers = [view for view in views if view.read_only and view.was_online]
    readers.sort(key=lambda view: (_STATES.index(view.state), view.member))
    return readers[0].member if readers else None


class Watch:
    """The last answer of each member."""

    def __init__(self) -> None:
        self._views: dict[str, tuple[float, View]] = {}
        self._primary: str | None = None

    def start(self) -> None:
        """Ask each member from now on."""
        for name in NAMES:
            threading.Thread(target=self._follow, args=(name,), daemon=True).start()
        threading.Thread(target=self._report, daemon=True).start()

    def views(self) -> list[View]:
        """Return the answers that still count."""
        since = time.monotonic() - _FRESH
        return [view for asked, view in list(self._views.values()) if asked >= since]

    def _follow(self, member: str) -> None:
        while True:
            try:
                # A connection lasts as long as its member runs.
                with connect(member, "roles", _FRESH) as connection, connection.cursor() as cursor:
                    was_online = False
                    while True:
                        asked = time.monotonic()
                        cursor.execute(PEERS_SQL)
                        peers = tuple(Peer(*row) for row in cursor.fetchall())
                        cursor.execute(_SELF_SQL)
                        ((read_only, view_id),) = cursor.fetchall()
                        number = tuple(int(part) for part in view_id.split(":") if part)
                        view = View(member, bool(read_only), number, peers)
                        was_online |= view.state == "ONLINE"
                        self._views[member] = asked, replace(view, was_online=was_online)
                        time.sleep(_INTERVAL)
            except Exception:  # noqa: BLE001 - whatever it was, the member gave no answer
                self._views.pop(member, None)
                time.sleep(_INTERVAL)

    def _report(self) -> None:
        while True:
            now = primary_of(self.views())
            if now != self._primary:
                say(f"the primary is {now}" if now else "there is no primary: reads only")
                self._primary = now
            time.sleep(_INTERVAL)


class _Handler(BaseHTTPRequestHandler):
    watch: Watch

    def do_GET(self) -> None:
        views = self.watch.views()
        right = {"/", f"/primary/{primary_of(views)}", f"/readable/{reader_of(views)}"}
        ok = self.path in right
        self.send_response(HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: it is asked twenty times a second."""


def main() -> None:
    """Answer until the end."""
    watch = _Handler.watch = Watch()
    watch.start()
    with suppress(KeyboardInterrupt):
        ThreadingHTTPServer(("", _PORT), _Handler).serve_forever()


if __name__ == "__main__":
    main()
