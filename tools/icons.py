"""Draws from favicon.svg the icons that cannot be SVG: `python -m tools.icons`."""

from __future__ import annotations

from pathlib import Path
from struct import pack

from playwright.sync_api import Page

from tools.pictures import chromium

STATIC = Path(__file__).parents[1] / "app" / "static"
PAPER = "#fbf7f0"


def main() -> None:
    """Write favicon.ico, apple-touch-icon.png and the icons of the manifest."""
    with chromium() as browser:
        page = browser.new_page()
        (STATIC / "favicon.ico").write_bytes(_ico(_png(page, 32, 1.0, "transparent"), 32))
        # Phones cut corners off, or a circle: the cat stays inside.
        for name, size in (("apple-touch-icon", 180), ("icon-192", 192), ("icon-512", 512)):
            (STATIC / f"{name}.png").write_bytes(_png(page, size, 0.72, PAPER))


def _png(page: Page, size: int, share: float, ground: str) -> bytes:
    """The cat on a square of this many pixels, of which it fills a share."""
    page.set_viewport_size({"width": size, "height": size})
    page.set_content(
        f"<style>html {{ background: {ground} }} body {{ margin: 0; height: 100vh; display: grid;"
        f"place-items: center }} svg {{ width: {share:.0%} }}</style>"
        + (STATIC / "favicon.svg").read_text("utf-8")
    )
    return page.screenshot(omit_background=True)


def _ico(png: bytes, size: int) -> bytes:
    """An ICO file with one PNG in it."""
    header = pack("<HHH", 0, 1, 1)
    return header + pack("<BBBBHHII", size, size, 0, 0, 1, 32, len(png), 22) + png


if __name__ == "__main__":
    main()
