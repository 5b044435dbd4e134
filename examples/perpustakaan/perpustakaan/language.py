"""The language of a request: `?lang=`, the cookie that it sets, `Accept-Language`, English."""

from __future__ import annotations

from flask import Flask, current_app, has_request_context, request
from flask.wrappers import Response
from flask_babel import Babel

LANGUAGES = ("en", "id")
COOKIE = "perpustakaan_language"
_ONE_YEAR = 365 * 24 * 3600


def init_app(app: Flask) -> None:
    """Translate answers, and keep a language that was chosen."""
    Babel(app, default_locale="en", locale_selector=select_language)
    app.after_request(_remember)


def select_language() -> str:
    """The language of this request: one of `LANGUAGES`; of a command, English."""
    if not has_request_context():
        return "en"
    for wanted in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if wanted in LANGUAGES:
            return wanted
    # Not `best_match`: that takes an exact "en" of low quality before "id-ID".
    accepted = (tag.partition("-")[0].lower() for tag, q in request.accept_languages if q)
    return next((code for code in accepted if code in LANGUAGES), "en")


def _remember(answer: Response) -> Response:
    if answer.cache_control.public:  # covers and files are the same for everybody
        return answer
    answer.vary.update(("Accept-Language", "Cookie"))
    chosen = request.args.get("lang")
    if chosen in LANGUAGES and chosen != request.cookies.get(COOKIE):
        answer.set_cookie(
            COOKIE,
            chosen,
            max_age=_ONE_YEAR,
            path=current_app.config["COOKIE_PATH"],
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
    return answer
