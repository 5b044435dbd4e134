"""The Flask subclass: request id, response hooks, and less overhead per request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from random import getrandbits
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from flask import Flask, Request, Response
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_host

from app.core.environ import ANSWERED, BEGAN, REQUEST_ID
from app.web.http.body import StrictRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    Headers = list[tuple[str, str]]
    ResponseHook = Callable[[WSGIEnvironment, str, Headers], None]


class WholeResponse(Response):
    """A response that passes a complete body to the server as a list.

    Granian sends a list by itself. Every other iterable keeps a request thread until the client
    has read it, so that slow readers could hold all threads.
    """

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Return the body as a list, unless it is streamed or has a close callback."""
        body = super().get_app_iter(environ)
        if self.direct_passthrough or not self.is_sequence or self._on_close:
            return body
        return list(body)


class Application(Flask):
    """The application.

    Attributes:
        public_address: where the service is, by PUBLIC_URL: what addresses are built from.
        response_hooks: called with the environment, the status and the headers of every
            response as it goes out; they add to the headers. Unlike `after_request`, they do
            not make Flask copy and check all headers once more.

    """

    request_class = StrictRequest
    response_class = WholeResponse
    public_address: SplitResult = urlsplit("http://localhost")

    def __init__(self, *args: Any, **options: Any) -> None:
        self.response_hooks: list[ResponseHook] = []
        super().__init__(*args, **options)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        environ[BEGAN] = time.perf_counter()
        environ[REQUEST_ID] = f"{getrandbits(128):032x}"  # unique, not secret

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            if ANSWERED not in environ:
                self.run_response_hooks(environ, status, headers)
            return start_response(status, headers, exc_info)

        return super().wsgi_app(environ, start)

    def run_response_hooks(self, environ: WSGIEnvironment, status: str, headers: Headers) -> None:
        """Call the response hooks with the headers of an outgoing response."""
        for hook in self.response_hooks:
            hook(environ, status, headers)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Bind a request to PUBLIC_URL; its Host header only needs to be well-formed.

        So no redirect of the routing leads to the host that a client names.
        """
        if request is None:
            return super().create_url_adapter(None)
        request.host = get_host(request.environ)
        host, scheme = self.public_address.netloc, self.public_address.scheme
        query = request.environ.get("QUERY_STRING", "")
        return MapAdapter(self.url_map, host, "/", "", scheme, request.path, request.method, query)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function: no view is a coroutine, and Flask would check at each call."""
        return func
