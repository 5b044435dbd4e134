"""The network between the service and MySQL, which loses the answer to a statement."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from sqlalchemy.engine import make_url

_COM_QUERY = b"\x03"
_HEADER = 4  # bytes of a packet before its command


class LosingNetwork:
    """Passes bytes on between clients and a MySQL server.

    After `lose`, the server gets a statement that begins so, and answers; the client gets the end
    of the connection in place of the answer.

    Attributes:
        url: the database, through this network.
        lost: how many answers were lost since `lose`; the server is done with their statements.

    """

    def __init__(self, url: str) -> None:
        target = make_url(url)
        self._server = (target.host or "127.0.0.1", target.port or 3306)
        self._listener = socket.create_server(("127.0.0.1", 0))
        # Without TLS, since the statements must be read on their way.
        here = target.set(host="127.0.0.1", port=self._listener.getsockname()[1]).update_query_dict(
            {"ssl_disabled": "true"}
        )
        self.url = here.render_as_string(hide_password=False)
        self._losing, self._left = b"", 0
        self.lost = 0

    def lose(self, statement: str, *, after: int = 0) -> None:
        """Lose the answer to the next statement that begins with this text, or to a later one."""
        self._losing, self._left, self.lost = _COM_QUERY + statement.encode(), after, 0

    def __enter__(self) -> LosingNetwork:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server:
            back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            back.start()
            is_lost = False
            with suppress(OSError):
                while not is_lost and (data := client.recv(1 << 16)):
                    is_lost = self._is_to_lose(data)
                    if is_lost:
                        client.shutdown(socket.SHUT_WR)
                    server.sendall(data)
            # The server answers what it has got before it ends the connection.
            with suppress(OSError):
                server.shutdown(socket.SHUT_WR)
            back.join()
        self.lost += is_lost

    def _is_to_lose(self, data: bytes) -> bool:
        if not self._losing or not data[_HEADER:].startswith(self._losing):
            return False
        self._left -= 1
        if self._left >= 0:
            return False
        self._losing = b""
        return True


def _pass_on(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(1 << 16):
            with suppress(OSError):  # what is lost is read all the same
                client.sendall(data)
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
