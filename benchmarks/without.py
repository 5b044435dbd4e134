"""The service without one of its optimisations: python -m benchmarks.without NAME.

Each function puts the framework's own way in the place of an optimisation and then lets the server
start. `python -m benchmarks prices` compares the two.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


def nothing() -> None:
    """The service as it is."""


def ensure_sync() -> None:
    """Flask asks at each call whether a view is a coroutine."""
    from flask import Flask

    from app.web.http.flask_app import Application

    Application.ensure_sync = Flask.ensure_sync  # type: ignore[method-assign]


def url_adapter() -> None:
    """Flask binds a request to its address itself."""
    from flask import Flask

    from app.web.http.flask_app import Application

    Application.create_url_adapter = Flask.create_url_adapter  # type: ignore[method-assign]


def response_hooks() -> None:
    """Headers are added by `after_request`."""
    import time
    from random import getrandbits

    from flask import Flask, Response, request

    from app.core.environ import BEGAN, REQUEST_ID
    from app.web.http.flask_app import Application

    def call(self: Application, environ: Any, start: Any) -> Any:
        environ[BEGAN] = time.perf_counter()
        environ[REQUEST_ID] = f"{getrandbits(128):032x}"
        return Flask.wsgi_app(self, environ, start)

    made = Application.__init__

    def init(self: Application, *args: Any, **options: Any) -> None:
        made(self, *args, **options)

        @self.after_request
        def add(response: Response) -> Response:
            headers = list(response.headers)
            self.run_response_hooks(request.environ, response.status, headers)
            response.headers.clear()
            response.headers.extend(headers)
            return response

    Application.wsgi_app = call  # type: ignore[method-assign, assignment]
    Application.__init__ = init  # type: ignore[method-assign]


def whole_response() -> None:
    """A body goes to the server as an iterator."""
    from flask import Response

    from app.web import negotiation
    from app.web.http.flask_app import Application

    Application.response_class = Response  # type: ignore[assignment]
    vars(negotiation)["WholeResponse"] = Response


def own_cores() -> None:
    """The kernel moves the threads of every worker over all cores."""
    from app.server import cores

    vars(cores)["bind_worker"] = lambda *_: None


def late_imports() -> None:
    """Every module is loaded as the server starts."""
    for name in (
        "flask_migrate", "alembic.command", "prometheus_client.multiprocess",
        "app.passwords.strength", "app.core.engines.mysql_pool", "app.social.providers.clients",
        "app.social.providers.openid",
    ):  # fmt: skip
        importlib.import_module(name)


def forked_migration() -> None:
    """Alembic runs in the server's own process."""
    from app.server import migrate

    class Here:
        exitcode = 0

        def __init__(self, target: Callable[[], None]) -> None:
            self.start, self.join = target, lambda: None

    class Context:
        Process = Here

    vars(migrate)["multiprocessing"] = SimpleNamespace(get_context=lambda _kind: Context)


def cleared_dictionaries() -> None:
    """zxcvbn keeps all its word lists."""
    from zxcvbn import frequency_lists, matching

    class Kept(dict):  # type: ignore[type-arg]
        def clear(self) -> None:
            pass

    matching.RANKED_DICTIONARIES = Kept(matching.RANKED_DICTIONARIES)
    frequency_lists.FREQUENCY_LISTS = Kept(frequency_lists.FREQUENCY_LISTS)


def drain() -> None:
    """Granian ends as it does by itself."""
    from granian.server import MPServer

    from app.server.drain import DrainingServer

    original = MPServer.signal_handler_interrupt
    DrainingServer.signal_handler_interrupt = original  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    globals()[sys.argv[1]]()
    sys.argv[1:] = []
    from app.server.__main__ import main

    main()
