"""Hands connections from this machine's port 3306 on to MySQL: the service `workbench`."""

from __future__ import annotations

import asyncio


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        mysql_reader, mysql_writer = await asyncio.open_connection("mysql", 3306)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, mysql_writer), _copy(mysql_reader, writer))


async def main() -> None:
    """Serve until the container is stopped."""
    server = await asyncio.start_server(_serve, "0.0.0.0", 3306)  # noqa: S104 - published on loopback
    await server.serve_forever()


asyncio.run(main())
