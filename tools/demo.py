"""`make demo`: the service with the front end, the back end and the library of examples/.

It needs no Docker. PORT, NEXTJS_PORT, LARAVEL_PORT and PERPUSTAKAAN_PORT say where they listen.
What the machine lacks is left out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEXTJS, LARAVEL, PERPUSTAKAAN = (
    ROOT / "examples" / name for name in ("nextjs", "laravel", "perpustakaan")
)
PORTS = {name: os.environ.get(name, port) for name, port in (
    ("PORT", "5000"), ("NEXTJS_PORT", "3000"), ("LARAVEL_PORT", "8001"),
    ("PERPUSTAKAAN_PORT", "8006"),
)}  # fmt: skip
SERVICE, FRONT_END, NOTES, LIBRARY = (f"http://127.0.0.1:{port}" for port in PORTS.values())
ENVIRONMENT = os.environ | {
    "PUBLIC_URL": SERVICE, "CLIENT_REDIRECT_URLS": f"{FRONT_END}/callback {LIBRARY}/callback",
    "LOGUSERAPP_URL": SERVICE, "APP_URL": FRONT_END, "LARAVEL_URL": NOTES,
    "PHP_CLI_SERVER_WORKERS": "4",
}  # fmt: skip
_OF_THE_SERVICE = ("DATABASE_URL", "DATABASE_URL_FILE", "SECRET_KEY", "SECRET_KEY_FILE", "HOST")
LIBRARY_ENVIRONMENT = {
    name: value for name, value in ENVIRONMENT.items() if name not in _OF_THE_SERVICE
} | {
    "APP_URL": LIBRARY, "PORT": PORTS["PERPUSTAKAAN_PORT"],
    "INSTANCE_PATH": str(PERPUSTAKAAN / "instance"),
}  # fmt: skip
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 15.0


class PartFailedError(Exception):
    """A part does not run; says which, and why."""


class Parts:
    """The programs that run, each in a process group of its own."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def run(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        url: str,
        environment: Mapping[str, str] = ENVIRONMENT,
    ) -> None:
        """Start a part and wait until it answers."""
        process = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
        self._running[name] = process
        end = time.monotonic() + SECONDS_TO_START
        while not answers(url):
            if process.poll() is not None or time.monotonic() > end:
                raise PartFailedError(f"{name} does not start")
            time.sleep(0.1)

    def wait(self) -> None:
        """Wait until a part ends, which none should."""
        while True:
            for name, process in self._running.items():
                if process.poll() is not None:
                    raise PartFailedError(f"{name} has ended")
            time.sleep(0.5)

    def stop(self) -> None:
        """End all parts with what they started."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_TO_STOP)
            # Some leave processes behind: PHP its workers.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def main() -> None:
    """Run all parts until one ends or a signal comes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parts = Parts()
    try:
        parts.run("the service", [sys.executable, "-m", "app.server"], ROOT, f"{SERVICE}/healthz")
        run_library(parts)
        run_laravel(parts)
        run_nextjs(parts)
        parts.wait()
    except PartFailedError as error:
        sys.exit(f"loguserapp: {error}")
    except KeyboardInterrupt:
        pass
    finally:
        parts.stop()


def run_library(parts: Parts) -> None:
    """Run the library, with books."""
    flask = [sys.executable, "-m", "flask", "--app", "perpustakaan"]
    for what, command in (
        ("preparing the library", [*flask, "db", "upgrade"]),
        ("bringing books into the library", [*flask, "import-books", "demo/books.csv"]),
    ):
        finish(what, PERPUSTAKAAN, *command, environment=LIBRARY_ENVIRONMENT)
    command = [sys.executable, "-m", "perpustakaan"]
    parts.run("the library", command, PERPUSTAKAAN, f"{LIBRARY}/healthz", LIBRARY_ENVIRONMENT)
    say(f"the library is at {LIBRARY}")


def run_laravel(parts: Parts) -> None:
    """Run the notes, if PHP and Laravel are there."""
    has_laravel = shutil.which("php") and succeeds("php", "-r", "require 'bootstrap/autoload.php';")
    if not has_laravel:
        say("without the notes: PHP or Laravel is missing (examples/laravel/README.md)")
        return
    (LARAVEL / "storage" / "notes.sqlite").touch()
    finish("preparing the notes", LARAVEL, "php", "artisan", "migrate", "--force")
    listen = f"127.0.0.1:{PORTS['LARAVEL_PORT']}"
    command = ["php", "-q", "-S", listen, "-t", "public", "public/index.php"]
    parts.run("Laravel", command, LARAVEL, f"{NOTES}/resource")


def run_nextjs(parts: Parts) -> None:
    """Build the front end if it has changed, and run it, if Node.js is there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        say(f"without the front end: Node.js with npm is missing. Open {SERVICE}")
        return
    packages = NEXTJS / "node_modules" / ".package-lock.json"
    if changed_after(packages, [NEXTJS / "package-lock.json"]):
        finish("installing the front end's packages", NEXTJS, "npm", "ci", "--no-audit")
    made = {"node_modules", ".next", "next-env.d.ts"}
    sources = [path for path in NEXTJS.rglob("*") if not made & set(path.parts)]
    if changed_after(NEXTJS / ".next" / "BUILD_ID", sources):
        finish("building the front end", NEXTJS, "npm", "run", "build")
    next_program = str(NEXTJS / "node_modules" / "next" / "dist" / "bin" / "next")
    listen = ["-H", "127.0.0.1", "-p", PORTS["NEXTJS_PORT"]]
    parts.run("Next.js", ["node", next_program, "start", *listen], NEXTJS, FRONT_END)
    say(f'open {FRONT_END} and press "Create account"; Ctrl-C ends all parts')


def finish(
    what: str, folder: Path, *command: str, environment: Mapping[str, str] = ENVIRONMENT
) -> None:
    """Run a step to its end."""
    say(what)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PartFailedError(f"{what} failed\n{done.stdout}{done.stderr}")


def succeeds(*command: str) -> bool:
    """Whether a command in Laravel's folder ends well."""
    done = subprocess.run(command, cwd=LARAVEL, capture_output=True, check=False)
    return done.returncode == 0


def changed_after(made: Path, sources: Sequence[Path]) -> bool:
    """Whether a file is missing or older than what it was made of."""
    return not made.exists() or max(path.stat().st_mtime for path in sources) > made.stat().st_mtime


def answers(url: str) -> bool:
    """Whether there is any answer."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(f"loguserapp: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
