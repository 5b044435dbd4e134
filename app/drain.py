"""Ending without dropping a request: new connections are turned away before the workers end.

A worker that ends closes its listening socket, and the kernel resets the connections that were
queued there, their requests unanswered. So on Linux the server, told to end, first opens one more
socket on its port that takes every new connection (SO_ATTACH_REUSEPORT_CBPF) and hears none of
them (IP_MINTTL); the workers answer what has reached them, and end. A load balancer in front sees
that it cannot connect, which is safe to try elsewhere.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
import threading
from contextlib import suppress
from typing import Any

from granian.server import MPServer

# For what the kernel has queued already to reach the workers; behind a load balancer also for
# those who wait for a connection to give up (proxy_connect_timeout in deploy/nginx/site.conf), be
# answered elsewhere, and leave this server alone until it is gone.
_ALONE, _BEHIND_PROXY = 0.2, 1.0
# From Linux's headers; Python has no names for them.
_SO_ATTACH_REUSEPORT_CBPF = 51
_IP_MINTTL = 21
_IPV6_MINHOPCOUNT = 73


class DrainingServer(MPServer):
    """Granian, which turns new connections away for a moment before it ends."""

    _gate: socket.socket | None = None
    behind_proxy = False

    def signal_handler_interrupt(self, *_: Any) -> None:
        """End soon: SIGTERM or SIGINT has come."""
        if self._gate is None and sys.platform == "linux":
            with suppress(OSError):  # a kernel that cannot do this ends as any other
                self._gate = _closed_gate(self.bind_addr, self.bind_port, self.workers)
        seconds = _BEHIND_PROXY if self.behind_proxy else _ALONE
        threading.Timer(seconds, super().signal_handler_interrupt).start()


def _closed_gate(host: str, port: int, others: int) -> socket.socket:
    gate = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    gate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # Packets from ordinary hosts start with a time to live of 64 and are dropped.
    if gate.family == socket.AF_INET6:
        gate.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, 255)
    else:
        gate.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, 255)
    gate.bind((host, port))
    gate.listen()
    # A classic BPF program that returns this socket's place on the port: after the workers'.
    program = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, others))
    pointer = struct.pack("HP", 1, ctypes.addressof(program))
    gate.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, pointer)
    return gate
