"""Languages: which one a response is in.

Pages: `?lang=`, the cookie that it sets, the setting of the logged-in person, Accept-Language.
Programs: Accept-Language. English where none of these names a language that there is.
"""

from __future__ import annotations

from flask import Flask, Response, has_request_context, request, session
from flask_babel import get_locale, refresh
from werkzeug.wrappers import Response as AnyResponse

from app.extensions import babel
from app.text import clock, date_and_time
from app.web.browser import cookies
from app.web.negotiation import has_session, is_browser, is_public

# By code, each under its own name.
LANGUAGES = {"en": "English", "id": "Bahasa Indonesia"}
DEFAULT = "en"
_COOKIE = "lang"
# Characters; a browser sends far fewer, and parsing a longer header is slow.
_LONGEST_HEADER = 512


def init_app(app: Flask) -> None:
    """Choose the language of every response."""
    babel.init_app(app, default_locale=DEFAULT, locale_selector=_language)
    app.after_request(_remember)
    app.context_processor(lambda: {"language": language(), "languages": LANGUAGES})
    app.add_template_filter(clock)
    app.add_template_filter(date_and_time)


def language() -> str:
    """The code of the language of this response."""
    return str(get_locale() or DEFAULT)


def asked_for() -> str | None:
    """The language that this request names, if it names one that there is."""
    return (_chosen() if is_browser() else None) or _accepted()


def use(code: str | None, response: AnyResponse) -> None:
    """Make a language that of this browser's login, in place of one that it chose before."""
    session["language"] = code
    cookies.forget(response, _COOKIE)
    refresh()


def for_english_program() -> bool:
    """Whether a program asks in English, or a command: it gets a library's own messages."""
    if not has_request_context():  # a command
        return True
    return not is_browser() and language() == DEFAULT


def _language() -> str:
    if not has_request_context() or is_public(request.path):  # a command; the same for every client
        return DEFAULT
    return asked_for() or DEFAULT


def _chosen() -> str | None:
    """The language that the person chose: in this address, in this browser, in the account."""
    candidates = [request.args.get("lang"), cookies.read(_COOKIE)]
    if has_session():  # what the account says, as the login found it
        candidates.append(session.get("language"))
    return next((code for code in candidates if code in LANGUAGES), None)


def _accepted() -> str | None:
    header = request.headers.get("Accept-Language", "")
    if not header or len(header) > _LONGEST_HEADER:
        return None
    # Not `best_match`: that takes an exact "en" of low quality before "id-ID".
    wanted = (tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality)
    return next((code for code in wanted if code in LANGUAGES), None)


def _remember(response: Response) -> Response:
    """Keep in a cookie the language that a person chose by `?lang=`."""
    chosen = request.args.get("lang") if has_session() else None
    if chosen in LANGUAGES:
        cookies.keep(response, _COOKIE, chosen)
    return response
