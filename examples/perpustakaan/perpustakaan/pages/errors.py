"""What error pages say: what happened, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, g, request, url_for
from flask.wrappers import Response
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import CSRFError

from perpustakaan import problems
from perpustakaan.pages.people import came_from
from perpustakaan.problems import Problem


@dataclass(frozen=True)
class Advice:
    """A heading, a sentence, and the button that helps."""

    heading: str
    sentence: str
    button: str
    href: str


def init_app(app: Flask) -> None:
    """Say it on the page `problem.html`."""
    app.add_template_global(advise)
    app.register_error_handler(CSRFError, _on_csrf)


def advise(problem: Problem) -> Advice:
    """What to say of a problem."""
    if problem.code == "csrf_expired":
        back = request.script_root + came_from()
        return Advice(
            _("This form was out of date"), str(problem.detail), _("Back to the page"), back
        )
    if problem.code.startswith("login_"):
        again = url_for("login.begin", next=g.get("login_next", "/"))
        return Advice(_("You are not logged in"), str(problem.detail), _("Log in"), again)
    if problem.status >= 500:
        return _of_the_server(problem)
    return _of_the_address(problem)


def _of_the_server(problem: Problem) -> Advice:
    again = came_from() if request.method != "GET" else request.full_path.rstrip("?")
    href = request.script_root + again
    if problem.status == 503:
        sentence = _("Nothing is lost. Wait a minute, then try again.")
        return Advice(_("The library cannot answer at the moment"), sentence, _("Try again"), href)
    sentence = _("Try again. If it happens again, please tell the library.")
    return Advice(_("Something broke on our side"), sentence, _("Try again"), href)


def _of_the_address(problem: Problem) -> Advice:
    home, to_catalogue = url_for("pages.list_books"), _("Go to the catalogue")
    if problem.status == 404:
        sentence = _("The address may be mistyped, or the book has left the catalogue.")
        return Advice(_("There is no such page"), sentence, to_catalogue, home)
    if problem.status == 403:
        sentence = _(
            "Only librarians may do this. If you are one, ask the people who run this library."
        )
        return Advice(_("This is for librarians"), sentence, to_catalogue, home)
    if problem.status == 405:
        sentence = _("Only a button leads here. Start again from the catalogue.")
        return Advice(_("This page cannot be opened directly"), sentence, to_catalogue, home)
    sentence = _("Something in the address or the form is wrong. Start again from the catalogue.")
    return Advice(_("That did not work"), sentence, to_catalogue, home)


def _on_csrf(error: CSRFError) -> Response:
    detail = _l(
        "You logged in or out in another tab, or the page was open for long. "
        "Go back to it and send it once more."
    )
    return problems.respond(Problem(error.code or 400, "csrf_expired", detail))
