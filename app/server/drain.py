"""Graceful shutdown: new connections are refused before the workers stop.

A worker that stops closes its listening socket, and the kernel resets the connections queued there
with their requests unanswered. So on Linux, on SIGTERM, the server first opens one more socket on
its port that receives every new connection (SO_ATTACH_REUSEPORT_CBPF) and drops its packets
(IP_MINTTL). The workers answer what has reached them and stop. A load balancer sees a failed
connect, which is safe to retry on another replica.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
import threading
from contextlib import suppress
from typing import Any

from app.server.cores import CoreBoundServer

# Seconds for connections already queued by the kernel to reach the workers; behind a load balancer
# also for its connect time-out (proxy_connect_timeout in deploy/nginx/site.conf), after which it
# retries on another replica and stops using this one.
_ALONE, _BEHIND_PROXY = 0.2, 1.0
# From Linux's headers; Python has no names for them.
_SO_ATTACH_REUSEPORT_CBPF = 51
_IP_MINTTL = 21
_IPV6_MINHOPCOUNT = 73


class DrainingServer(CoreBoundServer):
    """Granian that refuses new connections for a moment before it stops."""

    _gate: socket.socket | None = None
    _stops = False
    behind_proxy = False

    def signal_handler_interrupt(self, *_: Any) -> None:
        """Stop soon: SIGTERM or SIGINT was received."""
        self._stops = True
        if self._gate is None and sys.platform == "linux":
            with suppress(OSError):  # a kernel without this stops as Granian does
                self._gate = _closed_gate(self.bind_addr, self.bind_port, self.workers)
        seconds = _BEHIND_PROXY if self.behind_proxy else _ALONE
        threading.Timer(seconds, super().signal_handler_interrupt).start()

    def _respawn_workers(self, *arguments: Any, **options: Any) -> None:
        # A signal from the terminal reaches the workers, too, which may end at once. New ones would
        # not hear the next signal while they start, and be killed only after the grace.
        if not self._stops:
            super()._respawn_workers(*arguments, **options)


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
