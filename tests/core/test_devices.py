"""What the page of devices calls the programs that logged in."""

from __future__ import annotations

import pytest
from flask import Flask

from app.core.devices import identify
from tests.support.application import DUMMY
from tests.support.browsing import Browser

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)"
IPAD = "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X)"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K)"
LINUX = "Mozilla/5.0 (X11; Linux x86_64"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
CHROME = f"{WEBKIT} Chrome/142.0.0.0"
PROGRAMS = {
    f"{WINDOWS} {CHROME} Safari/537.36": "Chrome on Windows",
    f"{MAC} {CHROME} Safari/537.36": "Chrome on macOS",
    f"{ANDROID} {CHROME} Mobile Safari/537.36": "Chrome on Android",
    f"{LINUX}) {CHROME} Safari/537.36": "Chrome on Linux",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36": "Chrome on ChromeOS",
    f"{IPHONE} {APPLE} CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
    f"{WINDOWS} {CHROME} Safari/537.36 Edg/142.0.0.0": "Edge on Windows",
    f"{ANDROID} {CHROME} Mobile Safari/537.36 EdgA/142.0.0.0": "Edge on Android",
    f"{IPHONE} {APPLE} Version/18.0 EdgiOS/142.0 Mobile/15E148 Safari/604.1": "Edge on iPhone",
    f"{WINDOWS} {CHROME} Safari/537.36 OPR/124.0.0.0": "Opera on Windows",
    f"{ANDROID} {WEBKIT} SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36":
        "Samsung Internet on Android",
    f"{WINDOWS} {WEBKIT} Chrome/138.0.0.0 YaBrowser/25.8.0.0 Safari/537.36":
        "Yandex Browser on Windows",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0":
        "Firefox on Windows",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0":
        "Firefox on macOS",
    "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0": "Firefox on Android",
    f"{LINUX}; rv:145.0) Gecko/20100101 Firefox/145.0": "Firefox on Linux",
    f"{IPHONE} {APPLE} FxiOS/145.0 Mobile/15E148 Safari/605.1.15": "Firefox on iPhone",
    f"{MAC} {APPLE} Version/18.5 Safari/605.1.15": "Safari on macOS",
    f"{IPHONE} {APPLE} Version/18.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
    f"{IPAD} {APPLE} Version/12.1.2 Mobile/15E148 Safari/604.1": "Safari on iPad",
    f"{LINUX}) {WEBKIT} HeadlessChrome/142.0.0.0 Safari/537.36": "Chrome on Linux",
    f"{MAC} {WEBKIT} Postman/11.70.0 Chrome/138.0.0.0 Electron/37.0.0 Safari/537.36":
        "Postman on macOS",
    "PostmanRuntime/7.51.0": "Postman",
    "curl/8.14.1": "curl",
    "Wget/1.25.0": "Wget",
    "HTTPie/3.2.4": "HTTPie",
    "insomnia/11.6.0": "Insomnia",
    "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.26100":
        "PowerShell on Windows",
    "python-requests/2.32.5": "Python",
    "python-httpx/0.28.1": "Python",
    "Python/3.14 aiohttp/3.13.2": "Python",
    "okhttp/5.1.0": "An Android app",
    "Dart/3.9 (dart:io)": "A Flutter app",
    "Loguserapp/1 CFNetwork/3826.500.111 Darwin/24.5.0": "An Apple app",
    "axios/1.13.2": "A Node program",
    "node": "A Node program",
    "Go-http-client/1.1": "A Go program",
    "GuzzleHttp/7": "GuzzleHttp",
    "Java/21.0.8": "A Java program",
    f"{ANDROID} {WEBKIT} Chrome/100.0 UCBrowser/13.4.0.1306 Mobile Safari/537.36":
        "UC Browser on Android",
    f"{ANDROID} {CHROME} Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.30":
        "MIUI Browser on Android",
    "Symfony HttpClient (Curl)": "Symfony",
    "Dalvik/2.1.0 (Linux; U; Android 15)": "Dalvik on Android",
    "Mozilla/5.0 (compatible)": "A program",
    "x" * 200: "A program",
    "": "A program",
    "<script>alert(1)</script>": "A program",
}  # fmt: skip


@pytest.mark.parametrize(("user_agent", "name"), PROGRAMS.items())
def test_a_program_goes_by_the_name_that_people_know(user_agent: str, name: str) -> None:
    assert identify(user_agent).name == name


@pytest.mark.parametrize(
    ("user_agent", "kind"),
    [
        (f"{WINDOWS} {CHROME} Safari/537.36", "computer"), (f"{IPHONE} {APPLE}", "phone"),
        (f"{ANDROID} {CHROME} Mobile Safari/537.36", "phone"), ("curl/8.14.1", "program"),
        (f"{MAC} {WEBKIT} Postman/11.70.0 Chrome/138.0.0.0 Safari/537.36", "program"),
        ("GuzzleHttp/7", "program"), ("", "program"),
    ],
)  # fmt: skip
def test_a_device_has_its_picture(user_agent: str, kind: str) -> None:
    assert identify(user_agent).kind == kind


def test_the_page_shows_the_name_and_the_api_what_was_sent(
    app: Flask, dummy: dict[str, str]
) -> None:
    firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
    client = app.test_client()
    sent = client.post("/api/auth/login/", data=DUMMY, headers={"User-Agent": firefox})
    browser = Browser(app)
    browser.post("/login", **DUMMY)
    assert "Log out Firefox on Windows, 127.0.0.1" in browser.get("/account/devices").text
    own = {"Authorization": f"Bearer {sent.get_json()['access']}"}
    sessions = client.get("/api/auth/sessions/", headers=own).get_json()
    assert firefox in [session["user_agent"] for session in sessions]
    assert all("device" not in session for session in sessions)
