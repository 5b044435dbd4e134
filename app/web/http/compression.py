"""Static text files go out compressed where no proxy does it, as `make run` serves them.

Pages do not: a page has secrets beside what a request can bring into it (BREACH). The one long
page, /docs, does for those who are not logged in: it has no secret then. nginx passes on what is
compressed already.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path

from flask import Response, g, request

from app.web.http.flask_app import Application

_TEXT = {".css", ".js", ".svg"}
# Bytes; a smaller file gains less than the header costs.
_LEAST = 1000
_LONG_PAGE, _LEVEL = "docs.docs", 6


def init_app(app: Application) -> None:
    """Compress them for clients that accept gzip."""
    folder = Path(str(app.static_folder))

    def compress(response: Response) -> Response:
        whole = request.method == "GET" and response.status_code == HTTPStatus.OK
        if request.endpoint == _LONG_PAGE and whole and g.get("person") is None:
            if request.accept_encodings["gzip"]:
                response.set_data(gzip.compress(response.get_data(), _LEVEL, mtime=0))
                response.headers["Content-Encoding"] = "gzip"
            return response
        if request.endpoint != "static" or not whole:
            return response
        path = folder / (request.view_args or {})["filename"]
        if path.suffix not in _TEXT or path.stat().st_size < _LEAST:
            return response
        response.vary.add("Accept-Encoding")
        if request.accept_encodings["gzip"]:
            etag, _ = response.get_etag()
            response.response.close()  # type: ignore[union-attr]  # the opened file
            response.direct_passthrough = False
            response.set_data(_compressed(path))
            response.headers["Content-Encoding"] = "gzip"
            response.set_etag(f"{etag}-gzip")
            response.make_conditional(request)
        return response

    app.after_request(compress)


@lru_cache(maxsize=64)
def _compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)
