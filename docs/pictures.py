"""Takes the pictures of the documentation from a service of its own: `make pictures`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-sync",
]
PERSON = {"username": "dummyuser", "email": "dummy@dummy.com", "password": "dummy1234"}


def main() -> None:
    """Walk through the pages as a person does and keep what is seen."""
    with service() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1100, "height": 800}, base_url=url)
        page.goto("/")
        keep(page, "home")
        page.goto("/register")
        for name, value in (PERSON | {"email": "newuseroke"}).items():
            page.fill(f"[name={name}]", value)
        page.click("main button:has-text('Create account')")
        page.wait_for_selector("[aria-invalid]")
        keep(page, "register-refused")
        for name, value in PERSON.items():
            page.fill(f"[name={name}]", value)
        page.click("main button:has-text('Create account')")
        page.wait_for_url("/login")
        page.fill("[name=username]", PERSON["username"])
        page.fill("[name=password]", PERSON["password"])
        page.click("main button:has-text('Log in')")
        page.wait_for_url("/")
        page.goto("/resource")
        keep(page, "akses-sukses")
        page.goto("/account")
        keep(page, "account")
        browser.close()


def keep(page: Page, name: str) -> None:
    """Write the visible part of a page to docs/images."""
    page.screenshot(path=HERE / "images" / f"{name}.png", animations="disabled")


@contextmanager
def service(**settings: str) -> Iterator[str]:
    """Run the service on a free port, {port} in the settings, with a database of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        # The addresses on the pictures are those that a reader will see.
        environment = {"INSTANCE_PATH": folder, "PORT": str(port), "WORKERS": "1"}
        environment |= {"PUBLIC_URL": "http://127.0.0.1:5000"}
        environment |= {name: value.format(port=port) for name, value in settings.items()}
        process = subprocess.Popen(
            [sys.executable, "-m", "app.server"], env=os.environ | environment
        )
        url = f"http://127.0.0.1:{port}"
        try:
            while not answers(url):
                if process.poll() is not None:
                    sys.exit("the service did not start")
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()
            process.wait()


def answers(url: str) -> bool:
    """Whether the service is there."""
    try:
        urllib.request.urlopen(f"{url}/healthz", timeout=2).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
