"""A flood of every kind from one address, for some seconds, by the standard library alone.

    python flood.py HOST PORT CONNECTIONS SECONDS [SOURCE]

A fifth of the connections each: idle, headers that never end, bodies that drip, GETs and POSTs as
fast as the answers come. Whoever is cut off connects again. Prints how often each kind met each
status ("closed": the connection was closed or refused without an answer) as JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable

FORM = b"username=nobody&password=not+the+password"
HEAD = b"Host: localhost\r\n"
POST = b"POST /login HTTP/1.1\r\n" + HEAD + b"Content-Type: application/x-www-form-urlencoded\r\n"
DRIP_SECONDS = 0.5
KINDS = {
    "idle": (b"", b""),
    "headers": (b"GET / HTTP/1.1\r\n" + HEAD, b"X-More: 1\r\n"),
    "bodies": (POST + b"Content-Length: 60000\r\n\r\n", b"a"),
    "get": (b"GET /readyz HTTP/1.1\r\n" + HEAD + b"\r\n", b""),
    "post": (POST + b"Content-Length: %d\r\n\r\n" % len(FORM) + FORM, b""),
}


class Flood:
    """Connections to one address, and what came of them."""

    def __init__(self, host: str, port: int, source: str | None, seconds: float) -> None:
        self.seen: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        self._host, self._port = host, port
        self._from = (source, 0) if source else None
        self._until = time.monotonic() + seconds

    async def keep(self, kind: str) -> None:
        while time.monotonic() < self._until:
            try:
                await self._connection(kind)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                if time.monotonic() < self._until:
                    self.seen[kind]["closed"] += 1
                await asyncio.sleep(0.05)

    async def _connection(self, kind: str) -> None:
        begin, more = KINDS[kind]
        reader, writer = await asyncio.open_connection(
            self._host, self._port, local_addr=self._from
        )
        dripping = asyncio.create_task(self._drip(writer, more)) if more else None
        try:
            while time.monotonic() < self._until:
                writer.write(begin)
                head = await self._in_time(reader.readuntil(b"\r\n\r\n"))
                self.seen[kind][head.split(b" ", 2)[1].decode()] += 1
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                await self._in_time(reader.readexactly(int(fields[b"content-length"])))
                if dripping or fields.get(b"connection") == b"close":
                    return
        finally:
            if dripping:
                dripping.cancel()
            writer.transport.abort()

    async def _drip(self, writer: asyncio.StreamWriter, more: bytes) -> None:
        while True:
            await asyncio.sleep(DRIP_SECONDS)
            writer.write(more)

    async def _in_time(self, what: Awaitable[bytes]) -> bytes:
        try:
            return await asyncio.wait_for(what, max(0.0, self._until - time.monotonic()))
        except TimeoutError:
            raise ConnectionResetError from None


async def main() -> None:
    host, port, connections, seconds, *source = sys.argv[1:]
    flood = Flood(host, int(port), source[0] if source else None, float(seconds))
    kinds = itertools.islice(itertools.cycle(KINDS), int(connections))
    await asyncio.gather(*map(flood.keep, kinds))
    print(json.dumps(flood.seen))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
