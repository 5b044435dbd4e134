"""Takes the picture of a running stack's page: `python -m tools.compose_picture URL`."""

from __future__ import annotations

import sys

from tests.support.states import PERSON, log_in, send
from tools.pictures import DESK, DOCS, chromium, keep


def main(url: str) -> None:
    """Register, log in and open the resource through nginx."""
    with chromium() as browser:
        page = browser.new_page(viewport=DESK, base_url=url)
        page.goto("/register")
        send(page, PERSON)
        page.context.clear_cookies()
        log_in(page, PERSON["username"], PERSON["password"])
        page.goto("/resource")
        page.get_by_text("akses sukses").first.wait_for()
        keep(page, DOCS / "compose" / "page.png", full_page=False)


if __name__ == "__main__":
    main(sys.argv[1])
