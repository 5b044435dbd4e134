"""Takes a picture of a command and of what it prints.

python -m docs.terminal docs/compose/stack.png -- docker compose ps
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from html import escape

from playwright.sync_api import sync_playwright

from docs.pictures import CHROMIUM, FLAGS

PAGE = """<body style="margin:0;background:#15181b"><pre style="display:inline-block;margin:0;
padding:20px;font:15px/1.45 ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;color:#ece7df"
><span style="color:#f2a154">$ {command}</span>\n{output}</pre>"""


def main(target: str, command: list[str]) -> None:
    """Run the command and keep the picture."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    words = command[2:] if command[:2] == ["sh", "-c"] else [shlex.join(command)]
    html = PAGE.format(command=escape(words[0]), output=escape(done.stdout + done.stderr))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 400})
        page.set_content(html)
        page.locator("pre").screenshot(path=target)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[3:])
