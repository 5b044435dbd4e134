"""The request class: broken, overlong and slow bodies are errors."""

from __future__ import annotations

from io import BytesIO
from typing import IO

from flask import Request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.utils import cached_property

from app.core.environ import READ_BODY
from app.text import _l

_LONGEST_BOUNDARY = 200  # 70 by RFC 2046 §5.1.1, but Werkzeug's own client makes longer ones

_MULTIPART = _l("The multipart form is broken, or not valid UTF-8.")
_FORM = _l("The form is broken, or not valid UTF-8.")


class StrictParser(FormDataParser):
    """A form parser that raises on a broken form, where Werkzeug returns an empty one."""

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        """Parse the body as Werkzeug does.

        Raises:
            BadRequest: the form is broken.

        """
        self.silent = False
        # Werkzeug makes regular expressions of it, which Python keeps.
        if len((options or {}).get("boundary", "")) > _LONGEST_BOUNDARY:
            raise BadRequest(_l("The multipart form is broken: its boundary is too long."))
        try:
            return super().parse(stream, mimetype, content_length, options)
        except ValueError:
            is_multipart = mimetype == "multipart/form-data"
            raise BadRequest(_MULTIPART if is_multipart else _FORM) from None


class StrictRequest(Request):
    """A request that refuses a broken, overlong or slow body on first access."""

    form_data_parser_class = StrictParser

    @cached_property
    def stream(self) -> IO[bytes]:
        """The complete body.

        Raises:
            RequestEntityTooLarge: it is longer than `MAX_CONTENT_LENGTH`.
            RequestTimeout: it took too long to come.
            OverloadError: too many bodies of the client's network are coming.
            ClientDisconnected: it ends too early.

        """
        length, most = self.content_length, self.max_content_length
        read = self.environ.get(READ_BODY)
        if read is None or most is None:
            return super().stream
        if length is None and not self.environ.get("wsgi.input_terminated"):
            return BytesIO()
        if length is not None and length > most:
            raise RequestEntityTooLarge
        body = read(self.environ, most + 1 if length is None else length) if length != 0 else b""
        if len(body) > most:  # it came in chunks
            raise RequestEntityTooLarge
        if length is not None and len(body) < length:
            raise ClientDisconnected
        return BytesIO(body)
