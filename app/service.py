"""Flask as this service wants it: one frame around every answer, and no work for nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from random import getrandbits
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from flask import Flask, Request, Response
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_host

from app.requests import StrictRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    Headers = list[tuple[str, str]]
    Finisher = Callable[[WSGIEnvironment, str, Headers], None]

# Under these names a request's WSGI environment holds what is known before Flask has seen it.
BEGAN = "loguserapp.began"
REQUEST_ID = "loguserapp.request_id"
# Granian's object for the answer, and whether it has been given, by another thread.
PROTOCOL = "loguserapp.protocol"
ANSWERED = "loguserapp.answered"


class WholeResponse(Response):
    """A response that gives a body that is there as a whole to the server as a whole.

    Granian sends a list in one piece, and anything else as a stream, which costs more.
    """

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Return the body: a list, unless it is a stream or something happens after it."""
        body = super().get_app_iter(environ)
        if self.direct_passthrough or not self.is_sequence or self._on_close:
            return body
        return list(body)


class Service(Flask):
    """The application.

    Attributes:
        public_address: where the service is, by PUBLIC_URL: what addresses are built from.
        finishers: called with the environment, the status and the headers of every answer as it
            goes out; they add to the headers. Like `after_request`, before which Flask would
            copy and check all headers once more.

    """

    request_class = StrictRequest
    response_class = WholeResponse
    public_address: SplitResult = urlsplit("http://localhost")

    def __init__(self, *args: Any, **options: Any) -> None:
        self.finishers: list[Finisher] = []
        super().__init__(*args, **options)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        environ[BEGAN] = time.perf_counter()
        environ[REQUEST_ID] = f"{getrandbits(128):032x}"  # unique is enough: it is no secret

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            if ANSWERED not in environ:
                self.finish(environ, status, headers)
            return start_response(status, headers, exc_info)

        return super().wsgi_app(environ, start)

    def finish(self, environ: WSGIEnvironment, status: str, headers: Headers) -> None:
        """Add to the headers of an answer that goes out."""
        for finish in self.finishers:
            finish(environ, status, headers)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind a request to its address. The host that it names must be well-formed, no more."""
        if request is None:
            return super().create_url_adapter(None)
        request.host = get_host(request.environ)
        host, scheme = self.public_address.netloc, self.public_address.scheme
        query = request.environ.get("QUERY_STRING", "")
        return MapAdapter(self.url_map, host, "/", "", scheme, request.path, request.method, query)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function; Flask would ask at each call whether it is a coroutine."""
        return func
