"""The request, less forgiving than Werkzeug's."""

from __future__ import annotations

from io import BytesIO
from typing import IO

from flask import Request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.formparser import FormDataParser
from werkzeug.utils import cached_property

_PIECE = 16 * 1024
_LONGEST_BOUNDARY = 200  # 70 by RFC 2046 §5.1.1, but Werkzeug's own client makes longer ones


class StrictParser(FormDataParser):
    """A parser for which a broken form is an error and not an empty form."""

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        """Return what Werkzeug reads.

        Raises:
            BadRequest: the form is broken.

        """
        self.silent = False
        # Werkzeug makes regular expressions of it, which Python keeps.
        if len((options or {}).get("boundary", "")) > _LONGEST_BOUNDARY:
            raise BadRequest("The multipart form is broken: its boundary is too long.")
        try:
            return super().parse(stream, mimetype, content_length, options)
        except ValueError:
            kind = "multipart form" if mimetype == "multipart/form-data" else "form"
            raise BadRequest(f"The {kind} is broken, or not valid UTF-8.") from None


class StrictRequest(Request):
    """A request whose broken or overlong body is refused wherever it is looked at first."""

    form_data_parser_class = StrictParser

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body.

        Raises:
            RequestEntityTooLarge: it comes in chunks, more than `MAX_CONTENT_LENGTH` of it.

        """
        stream = super().stream
        if self.content_length is not None:
            return stream
        # Werkzeug's `readall` cuts such a body off at the limit; `read` beyond it is refused.
        return BytesIO(b"".join(iter(lambda: stream.read(_PIECE), b"")))
