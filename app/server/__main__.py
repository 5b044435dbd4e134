"""The server: `python -m app.server` checks the settings, migrates and starts Granian."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import mp
from granian.wsgi import _callback_wrapper

from app import create_app
from app.config import LOOPBACK, Config, ConfigError
from app.core.environ import PROTOCOL
from app.core.threads import pids_max, threads_per_worker
from app.mail.transport import FOLDER
from app.server import demo
from app.server.drain import DrainingServer
from app.server.migrate import apply_pending_migrations, exit_with_reason

# How long running requests may take to finish after SIGTERM.
_GRACE_SECONDS = 10
# Accepted connections of a worker, idle and slow ones included, and descriptors for everything
# else.
_CONNECTIONS, _FEWEST_CONNECTIONS, _OTHER_FILES = 4096, 128, 256
_HEADER_SECONDS, _HEADER_BYTES = 10, 64 * 1024


def main() -> None:
    """Serve until a signal arrives. A failed start exits with one line that says why."""
    os.umask(0o077)  # files of the service, the SQLite database included, are private
    with exit_with_reason():
        config = Config.from_environment()
        demo.check(config)
        _check_port(config)
        with create_app(config).app_context():
            apply_pending_migrations()
    print(f"loguserapp: open {config.public_url}", flush=True)  # noqa: T201
    if not config.smtp_host:
        shown = f", shown at {config.public_url}/outbox" if config.shows_outbox else ""
        folder = config.instance_path / FOLDER
        print(f"loguserapp: no SMTP_HOST: mails are files in {folder}{shown}", flush=True)  # noqa: T201
    for warning in _warnings(config):
        print(f"loguserapp: {warning}", file=sys.stderr, flush=True)  # noqa: T201
    figures = tempfile.mkdtemp(prefix="loguserapp-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = figures
    try:
        with demo.beside(config):
            _serve(config)
    finally:
        shutil.rmtree(figures, ignore_errors=True)


def _warnings(config: Config) -> Iterator[str]:
    """Warnings about what only the operator can fix, outside the service."""
    if not config.https and config.host not in LOOPBACK:
        yield (
            f"HOST {config.host} is reached from outside and PUBLIC_URL is http: passwords travel "
            "in clear text. Serve https through a proxy and set PUBLIC_URL to https://…"
        )
    if config.email_verification == "required" and not (config.smtp_host or config.shows_outbox):
        yield (
            "EMAIL_VERIFICATION is required and there is no SMTP_HOST: nobody gets the mail that "
            "confirms an e-mail, and so no new account can log in."
        )
    if config.trusted_proxies:  # WSGI has one name for X-Forwarded-For and X_Forwarded_For
        yield (
            f"TRUSTED_PROXIES is {config.trusted_proxies}: the proxy must drop request headers "
            "with an underscore in their name, as nginx does."
        )


def _check_port(config: Config) -> None:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host, config.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(
                    f"port {config.port} is in use. Stop what uses it, "
                    f"or take another: PORT={config.port + 1} make run"
                ) from None
            raise ConfigError(f"cannot listen on HOST {config.host}: {error.strerror}.") from None


def _serve(config: Config) -> None:
    # Forked workers share the modules that are loaded already, and start at once.
    multiprocessing.set_start_method("fork", force=True)
    connections = _allow_connections()
    mp._wsgi_call_wrap = _with_protocol  # type: ignore[assignment, attr-defined]
    server = DrainingServer(
        "wsgi:app",
        address=config.host,
        port=config.port,
        interface=Interfaces.WSGI,
        workers=config.workers,
        backpressure=connections,
        blocking_threads=threads_per_worker(config, pids_max()),
        runtime_blocking_threads=1,
        # Connections that send no HTTP/1.1 request must not keep their place.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=_HEADER_SECONDS * 1000, max_buffer_size=_HEADER_BYTES
        ),
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=_GRACE_SECONDS,
    )
    server.behind_proxy = config.trusted_proxies > 0
    server.serve()


def _allow_connections() -> int:
    """Raise the limit of open files; return how many connections a worker may accept."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    connections = wanted - _OTHER_FILES if soft == resource.RLIM_INFINITY else soft - _OTHER_FILES
    if connections < _FEWEST_CONNECTIONS:
        needed = _FEWEST_CONNECTIONS + _OTHER_FILES
        raise ConfigError(f"{soft} open files are too few: raise ulimit -n to {needed} or more.")
    return min(connections, _CONNECTIONS)


def _with_protocol(callback: Any, *arguments: Any) -> Any:
    """Wrap an application as Granian does, and let another thread send the response."""
    call = _callback_wrapper(callback, *arguments)

    def answer(protocol: Any, scope: dict[str, Any]) -> Any:
        scope[PROTOCOL] = protocol
        return call(protocol, scope)

    return answer


if __name__ == "__main__":
    main()
