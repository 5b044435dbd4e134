"""The tokens of a person's login: in two HttpOnly cookies, verified and renewed at each request."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import jwt
from flask import Flask, current_app, g, request
from flask.wrappers import Response
from flask_babel import lazy_gettext as _l

from perpustakaan import loguserapp, loguserapp_client
from perpustakaan.problems import Problem, Unavailable

ACCESS = "perpustakaan_access"
REFRESH = "perpustakaan_refresh"
# A token with less than this left, or a fifth of its life, is renewed. In seconds.
_ENDS_SOON = 60

_Pair = tuple[str, str]


@dataclass(frozen=True)
class Visitor:
    """A person who is logged in.

    Attributes:
        sub: their number at loguserapp.
        token: their access token.

    """

    sub: str
    token: str


def init_app(app: Flask) -> None:
    """Send the cookies of tokens that are new or over."""
    app.after_request(_send_cookies)


def visitor() -> Visitor | None:
    """The person of this request, None if nobody is logged in.

    Raises:
        Unavailable: only loguserapp could tell, which does not answer.

    """
    if "visitor" not in g:
        try:
            g.visitor = _find_visitor()
        except Unavailable as away:
            g.visitor = away
    if isinstance(g.visitor, Unavailable):
        raise g.visitor
    found: Visitor | None = g.visitor
    return found


def is_logged_in() -> bool:
    """Whether somebody is known to be logged in; False where loguserapp could not tell."""
    try:
        return visitor() is not None
    except Unavailable:
        return False


def exchange(code: str, verifier: str) -> Visitor:
    """Turn the one-time code of a login into tokens, and end the login that was here before.

    Raises:
        Problem: the code is used, too old or of another login.
        Unavailable: loguserapp does not answer.

    """
    status, answer = loguserapp_client.call(
        "POST", "/api/auth/social/token/", form={"code": code, "code_verifier": verifier}
    )
    if status == 400:
        raise Problem(
            400,
            "login_code_invalid",
            _l("The login took too long. Log in once more; it takes one press of a button."),
        )
    pair = _pair(status, answer)
    if former := request.cookies.get(REFRESH):
        _log_out(former)  # one browser, one login
    g.new_tokens = pair
    return Visitor(str(_unverified(pair[0])["sub"]), pair[0])


def end() -> bool:
    """End the login of this browser; False if loguserapp did not say that it has ended."""
    token = request.cookies.get(REFRESH)
    g.new_tokens = None
    return _log_out(token) if token else True


def _log_out(token: str) -> bool:
    try:
        status, _ = loguserapp_client.call("POST", "/api/auth/logout/", form={"refresh": token})
    except Unavailable:
        return False
    return status in (200, 401)


def _find_visitor() -> Visitor | None:
    access, refresh = request.cookies.get(ACCESS), request.cookies.get(REFRESH)
    claims = _claims(access) if access else None
    if access and claims and not _ends_soon(claims):
        return Visitor(claims["sub"], access)
    if not refresh:
        return None
    try:
        pair = _renew(refresh)
    except Unavailable:
        if access and claims:  # what is left of the token is enough for this page
            return Visitor(claims["sub"], access)
        raise
    g.new_tokens = pair
    renewed = _claims(pair[0]) if pair else None
    return Visitor(renewed["sub"], pair[0]) if pair and renewed else None


def _claims(access: str) -> dict[str, Any] | None:
    try:
        return loguserapp.verify(access)
    except loguserapp.Unavailable:
        raise Unavailable from None
    except loguserapp.Refused:
        return None


def _ends_soon(claims: dict[str, Any]) -> bool:
    lifetime = claims["exp"] - claims["nbf"]
    return bool(claims["exp"] - time.time() < min(_ENDS_SOON, lifetime / 5))


def _renew(refresh: str) -> _Pair | None:
    """New tokens, or None if the login has ended.

    Requests that come with one refresh token at a time all get the same successor.
    """
    status, answer = loguserapp_client.call(
        "POST", "/api/auth/token/refresh/", form={"refresh": refresh}
    )
    if status == 401 and answer.get("code") == "token_not_valid":
        return None
    return _pair(status, answer)


def _pair(status: int, answer: dict[str, Any]) -> _Pair:
    access, refresh = answer.get("access"), answer.get("refresh")
    if status != 200 or not isinstance(access, str) or not isinstance(refresh, str):
        raise Unavailable
    try:
        _lifetime(access), _lifetime(refresh)
    except (jwt.InvalidTokenError, KeyError):
        raise Unavailable from None
    return access, refresh


def _send_cookies(response: Response) -> Response:
    if "new_tokens" not in g:
        return response
    pair: _Pair = g.new_tokens or ("", "")
    for name, token in zip((ACCESS, REFRESH), pair, strict=True):
        response.set_cookie(
            name,
            token,
            # The browser drops a cookie when its token ends, whatever its clock says.
            max_age=_lifetime(token) if token else 0,
            path=current_app.config["COOKIE_PATH"],
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
    response.headers["Cache-Control"] = "no-store"
    return response


def _lifetime(token: str) -> int:
    """The seconds for which a token of loguserapp is good."""
    claims = _unverified(token)
    return int(claims["exp"] - claims["iat"])


def _unverified(token: str) -> dict[str, Any]:
    """The claims of a token that comes from loguserapp itself."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims
