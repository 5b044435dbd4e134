"""What browsers and phones ask for by themselves: icons, the manifest, robots.txt; the logo."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from flask import Blueprint, Response, current_app, request, url_for

from app.config import settings
from app.web.marks import public
from app.web.pages.assets import IMMUTABLE, SHORT
from app.web.pages.branding import LOGO_PATH, logo

blueprint = Blueprint("icons", __name__)
_SIZES = (192, 512)
_ROBOTS = "User-agent: *\nAllow: /$\nAllow: /docs$\nAllow: /static/\nDisallow: /\n"


@blueprint.get(LOGO_PATH)
@public
def picture() -> Response:
    """Give out the picture of APP_LOGO, or the cat."""
    return _own_logo() or _static("favicon.svg", "image/svg+xml")


@blueprint.get("/favicon.ico")
@public
def favicon() -> Response:
    """Give out the icon that browsers ask for where a page names none."""
    return _own_logo() or _static("favicon.ico", "image/x-icon")


@blueprint.get("/apple-touch-icon.png")
@public
def apple_touch_icon() -> Response:
    """Give out the icon of a bookmark on an iPhone's home screen."""
    return _own_logo() or _static("apple-touch-icon.png", "image/png")


@blueprint.get("/site.webmanifest")
@public
def manifest() -> Response:
    """Give out the name and the icons for a phone's home screen (W3C Web Application Manifest)."""
    own = logo()
    if own:
        icons = [{"src": own.address, "type": own.mimetype, "sizes": "any"}]
    else:
        icons = [_icon(size) for size in _SIZES]
    members = {
        "name": settings().app_name,
        "short_name": settings().app_name,
        "start_url": "/",
        "display": "browser",
        "background_color": "#fbf7f0",
        "theme_color": "#fbf7f0",
        "icons": icons,
    }
    return _answer(current_app.json.dumps(members), "application/manifest+json")


@blueprint.get("/robots.txt")
@public
def robots() -> Response:
    """Let search engines show the home page and the documentation, and nothing else."""
    return _answer(_ROBOTS, "text/plain; charset=utf-8")


def _icon(size: int) -> dict[str, str]:
    address = url_for("static", filename=f"icon-{size}.png")
    return {"src": address, "type": "image/png", "sizes": f"{size}x{size}", "purpose": "any"}


def _own_logo() -> Response | None:
    own = logo()
    if own is None:
        return None
    kept = request.args.get("v") == own.fingerprint
    return _answer(own.content, own.mimetype, IMMUTABLE if kept else SHORT)


def _static(filename: str, mimetype: str) -> Response:
    return _answer(_content(Path(str(current_app.static_folder), filename)), mimetype)


def _answer(content: bytes | str, mimetype: str, cache_control: str = SHORT) -> Response:
    response = Response(content, content_type=mimetype)
    response.headers["Cache-Control"] = cache_control
    return response


@cache
def _content(file: Path) -> bytes:
    return file.read_bytes()
