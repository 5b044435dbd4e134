"""What a person calls the device of a session: "Firefox on Windows", and which picture it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from app.text import _l

Kind = Literal["computer", "phone", "program"]

# The first mark that the user agent has decides. A browser that is built on another one names that
# one too (Edge says Chrome and Safari), so that the more particular come first.
_TOOLS = (
    ("Postman", "Postman"),
    ("insomnia/", "Insomnia"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("HTTPie/", "HTTPie"),
    ("PowerShell/", "PowerShell"),
)
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("Opera Mini/", "Opera Mini"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("MiuiBrowser/", "MIUI Browser"),
    ("HeyTapBrowser/", "HeyTap Browser"),
    ("VivoBrowser/", "vivo Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("YaBrowser/", "Yandex Browser"),
    ("Vivaldi/", "Vivaldi"),
    ("UCBrowser/", "UC Browser"),
    ("UBrowser/", "UC Browser"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Ddg/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_LIBRARIES = (
    ("python", "Python"),
    ("Python", "Python"),
    ("okhttp/", _l("An Android app")),
    ("Dart/", _l("A Flutter app")),
    ("CFNetwork/", _l("An Apple app")),
    ("axios/", _l("A Node program")),
    ("node", _l("A Node program")),
    ("undici", _l("A Node program")),
    ("Go-http-client/", _l("A Go program")),
    ("Java", _l("A Java program")),
)
# Android says Linux, an iPhone says Mac OS X. An iPad says what a Mac says, unless it is old.
_PHONES = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"))
_COMPUTERS = (
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
# What a program calls itself before its version. Every browser calls itself Mozilla.
_FIRST_WORD = re.compile(r"(?!Mozilla\b)[A-Za-z][A-Za-z0-9_.-]{1,39}\b")


@dataclass(frozen=True, slots=True)
class Device:
    """What a session runs on, as a person calls it, and which picture shows it."""

    name: str
    kind: Kind


def identify(user_agent: str) -> Device:
    """Name the program and, if it says so, the system that it runs on.

    Args:
        user_agent: what the client's program calls itself; may be empty, cut off or made up.

    """
    tool, browser = _first(_TOOLS, user_agent), _first(_BROWSERS, user_agent)
    program = tool or browser or _first(_LIBRARIES, user_agent) or _first_word(user_agent)
    phone = _first(_PHONES, user_agent)
    system = phone or _first(_COMPUTERS, user_agent)
    if system:
        program = _l("%(program)s on %(system)s", program=program, system=system)
    return Device(program, _kind(is_browser=bool(browser and not tool), is_phone=bool(phone)))


def _kind(*, is_browser: bool, is_phone: bool) -> Kind:
    if is_phone:
        return "phone"
    return "computer" if is_browser else "program"


def _first(marks: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for mark, name in marks if mark in user_agent), "")


def _first_word(user_agent: str) -> str:
    found = _FIRST_WORD.match(user_agent)
    return found[0] if found else _l("A program")
