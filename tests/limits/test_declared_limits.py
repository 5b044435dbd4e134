"""Every route that changes something or takes a secret names its limit of CONTRACT 7, or why none.

That each limit is counted, and answered with 429, `test_every_limit.py` shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.limits import declared
from app.web.marks import public, require_access_marks
from tests.support.application import DUMMY, assert_problem
from tests.support.browsing import Browser
from tests.support.databases import execute, select

# CONTRACT 7, as `limits` writes it.
RATES = {
    declared.LOGIN: ["10 per 15 minute", "50 per 15 minute", "100 per 15 minute"],
    declared.CONFIRMATION: ["10 per 15 minute"],
    declared.REGISTRATION: ["60 per 1 hour"],
    declared.TOKEN: ["60 per 1 minute"],
    declared.STRENGTH: ["60 per 1 minute"],
    declared.MAIL: ["30 per 1 hour", "1 per 1 minute", "10 per 1 day"],
    declared.OWN_MAIL: ["30 per 1 hour", "1 per 1 minute", "10 per 1 day"],
    declared.PROOF: [
        "60 per 1 minute", "10 per 15 minute", "50 per 15 minute", "100 per 15 minute",
    ],
}  # fmt: skip
ROUTES = {
    declared.LOGIN: {"POST /login", "POST /api/auth/login", "POST /login/connect"},
    declared.CONFIRMATION: {
        "PATCH /api/auth/me", "DELETE /api/auth/me", "POST /api/auth/password",
        "POST /account/profile", "POST /account/password", "POST /account/delete",
        "POST /account/connections/connect/<name>", "POST /account/connections/<id>/disconnect",
        "POST /account/confirm",
    },
    declared.REGISTRATION: {"POST /register", "POST /api/auth/register", "POST /welcome"},
    declared.TOKEN: {
        "POST /api/auth/token/refresh", "POST /api/auth/token/verify", "POST /api/auth/logout",
        "POST /api/auth/social/token",
    },
    declared.STRENGTH: {"POST /password/strength"},
    declared.MAIL: {"POST /api/auth/password/reset", "POST /forgot"},
    declared.OWN_MAIL: {
        "POST /api/auth/email/verify", "POST /verify/send", "POST /account/confirm/send",
    },
    declared.PROOF: {
        "POST /api/auth/password/reset/confirm", "POST /api/auth/email/verify/confirm",
        "POST /api/auth/email/undo", "POST /reset", "POST /verify", "POST /undo",
    },
}  # fmt: skip
# Nothing to guess, or another one checks.
UNLIMITED = {
    "GET /resource", "POST /resource", "POST /logout", "GET /login/<name>/callback",
    "POST /login/connect/decline", "POST /account/connections/confirm/<name>",
    "POST /account/devices/<id>/end", "POST /account/devices/end-others",
    "POST /account/language", "DELETE /api/auth/sessions/<id>", "POST /login/continue",
}  # fmt: skip


def routes(app: Flask) -> dict[str, Any]:
    """Every view by its method and path."""
    return {
        f"{method} {path}": app.view_functions[rule.endpoint]
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        for path in [
            rule.rule.replace("<int(max=2147483647):session_id>", "<id>").replace(
                "<int(max=2147483647):identity_id>", "<id>"
            )
        ]
    }


@pytest.mark.parametrize("limit", RATES, ids=lambda limit: limit.counted)
def test_a_limit_is_that_of_the_contract(app: Flask, limit: declared.RouteLimit) -> None:
    assert [str(rate) for rate in limit.rates] == RATES[limit]
    named = {route for route, view in routes(app).items() if view.limit is limit}
    assert named == ROUTES[limit]


def test_every_route_that_changes_something_names_a_limit_or_why_it_needs_none(app: Flask) -> None:
    found = routes(app)
    limited = set().union(*ROUTES.values())
    changing = {route for route in found if not route.startswith("GET ")}
    assert changing - limited - UNLIMITED == set()
    assert {route for route, view in found.items() if view.unlimited} == UNLIMITED


def test_a_view_that_changes_something_without_a_limit_stops_the_start(app: Flask) -> None:
    app.view_functions["forgotten"] = public(lambda: "changed")
    require_access_marks(app)
    app.url_map.add(app.url_rule_class("/forgotten", endpoint="forgotten", methods=["POST"]))
    with pytest.raises(RuntimeError, match="forgotten names no limit"):
        require_access_marks(app)
    app.view_functions["forgotten"] = public(unlimited="a test")(lambda: "changed")
    require_access_marks(app)


@pytest.mark.parametrize("path", ["/register", "/api/auth/register/"])
def test_a_form_counts_once_and_only_if_it_is_valid(
    make_app: Callable[..., Flask], database_url: str, path: str
) -> None:
    client = make_app(ratelimit_enabled=True).test_client()
    counters = "SELECT value FROM counter WHERE name LIKE '%/register/%'"
    assert client.post(path, data=DUMMY | {"email": "newuseroke"}).status_code == 400
    assert select(database_url, counters) == []
    assert client.post(path, data=DUMMY).status_code == 201
    assert client.post(path, data=DUMMY).status_code == 409
    assert select(database_url, counters) == [(2,)]
    execute(database_url, "UPDATE counter SET value = 60")
    assert_problem(client.post(path, data=DUMMY), 429, "too_many_requests")
    assert client.post(path, data=DUMMY | {"email": "newuseroke"}).status_code == 400


def test_the_username_of_a_first_login_counts_like_a_registration(
    make_app: Callable[..., Flask], database_url: str
) -> None:
    app = make_app(ratelimit_enabled=True)
    app.test_client().post("/register", data=DUMMY)
    execute(database_url, "UPDATE user SET first_visit_until = '2999-01-01 00:00:00'")
    browser = Browser(app)
    assert browser.post("/login", **DUMMY).status_code == 303
    execute(database_url, "UPDATE counter SET value = 60")
    assert browser.post("/welcome", username="a", next="/").status_code == 400
    assert browser.post("/welcome", username="another", next="/").status_code == 429
