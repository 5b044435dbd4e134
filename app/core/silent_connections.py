"""Connections on which nothing has been sent for long are closed, whatever they wait for.

Granian ends a connection that is idle or slow with its headers, but neither one whose body never
ends nor one that never reads its answer. No request that is served takes a minute.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
from contextlib import suppress

SILENT_SECONDS = 60
_LAST_DATA_SENT = struct.Struct("44xI")  # tcpi_last_data_sent of Linux's struct tcp_info, in ms


def close_silent_connections(port: int) -> None:
    """Close this process's connections on its own port on which nothing was sent for long."""
    if sys.platform != "linux":
        return
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - of thousands, a name is enough
        with suppress(OSError):  # closed meanwhile, or not connected
            descriptor = int(name)
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                _shut_down_if_silent(descriptor, port)


def _shut_down_if_silent(descriptor: int, port: int) -> None:
    """Shut a silent connection down; its descriptor stays open, and no copy of it is made.

    A copy would have to be closed. If the number had become that of a file meanwhile, that would
    end every lock of this process on the file (POSIX advisory locks), SQLite's among them: two
    processes would write at once, and one of their transactions would be lost.
    """
    connection = socket.socket(fileno=descriptor)
    try:
        if connection.getsockname()[1:2] == (port,) and connection.getpeername():
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_SENT.size)
            if _LAST_DATA_SENT.unpack(info)[0] > SILENT_SECONDS * 1000:
                connection.shutdown(socket.SHUT_RDWR)
    finally:
        connection.detach()
