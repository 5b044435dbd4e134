"""Each mail goes out once, from several replicas, and again after a process died too early."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest
from flask import Flask

from app.core import proofs
from app.core.client import Client
from app.extensions import db
from app.mail import outbox, sender
from app.mail.kinds import Kind
from app.models import User, utcnow
from tests.support.application import DUMMY
from tests.support.databases import execute, select
from tests.support.environment import ROOT, clean_environment, wait_until
from tests.support.http import once
from tests.support.mail import FROM, LOGIN, Certificate, MailServer, scripted, text_of
from tests.support.servers import Server

Serve = Callable[..., AbstractContextManager[Server]]
RESET = "/api/auth/password/reset/"


def queue_notices(app: Flask, count: int) -> None:
    with app.app_context():
        user = db.session.query(User).one()
        for _ in range(count):
            # Past the notices that an address gets of an account in a day.
            here = Client("192.0.2.1", "curl/8", "en")
            outbox.enqueue(
                Kind.NEW_LOGIN, proofs.create(proofs.UNDO, DUMMY["email"], here, user), here
            )
        db.session.commit()


def register(app: Flask, url: str) -> None:
    assert app.test_client().post("/register", data=DUMMY).status_code == 201
    execute(url, "DELETE FROM outbox")


def in_threads(work: Callable[[], None], count: int) -> None:
    """Run something in many threads that begin at once; what one of them raises is raised here."""
    barrier, errors = threading.Barrier(count), []

    def run() -> None:
        barrier.wait()
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_fifty_threads_claim_each_mail_once(
    make_app: Callable[..., Flask], database_url: str
) -> None:
    app = make_app(threads=50)
    register(app, database_url)
    queue_notices(app, 200)
    claimed: list[int] = []

    def claim() -> None:
        with app.app_context():
            while (found := outbox.claim()) is not None:
                claimed.append(found.id)

    in_threads(claim, 50)
    queued = [number for (number,) in select(database_url, "SELECT id FROM outbox")]
    assert sorted(claimed) == sorted(queued)
    assert len(queued) == 200


def test_two_replicas_send_each_of_a_thousand_mails_once(
    make_app: Callable[..., Flask], mail_server: MailServer, database_url: str
) -> None:
    replicas = [make_app(**mail_server.settings()) for _ in range(2)]
    register(replicas[0], database_url)
    queue_notices(replicas[0], 1000)
    waiting = iter(replicas)
    sent: list[int] = []

    def drain() -> None:
        with next(waiting).app_context():
            sent.append(sender.send_due())

    in_threads(drain, 2)
    assert sum(sent) == len(mail_server.mails) == len(set(mail_server.message_ids())) == 1000
    assert min(sent) > 100
    assert select(database_url, "SELECT count(*) FROM outbox") == [(0,)]


def test_a_process_killed_between_the_answer_and_the_commit_sends_the_same_mail_again(
    make_app: Callable[..., Flask], mail_server: MailServer, database_url: str, tmp_path: Path
) -> None:
    app = make_app(**mail_server.settings())
    register(app, database_url)
    queue_notices(app, 1)
    process = start_sender(mail_server, database_url, tmp_path)

    def kill() -> None:
        # It says QUIT once it has read the answer to DATA, and commits after it.
        process.send_signal(signal.SIGKILL)
        process.wait()

    mail_server.meanwhile["QUIT"] = kill
    assert process.wait(60) == -signal.SIGKILL
    del mail_server.meanwhile["QUIT"]
    assert len(mail_server.mails) == 1

    with app.app_context():
        assert sender.send_due() == 0  # claimed: the process might be alive
    execute(database_url, f"UPDATE outbox SET claimed_until = '{utcnow()}'")  # five minutes later
    assert start_sender(mail_server, database_url, tmp_path).wait(60) == 0
    first, again = mail_server.mails
    assert first["Message-ID"] == again["Message-ID"]
    assert text_of(first) == text_of(again)
    assert select(database_url, "SELECT count(*) FROM outbox") == [(0,)]


def start_sender(
    mail_server: MailServer, database_url: str, folder: Path
) -> subprocess.Popen[bytes]:
    settings = {
        "DATABASE_URL": database_url.replace("mysql+pymysql", "mysql"),
        "INSTANCE_PATH": str(folder / "instance"), "SMTP_HOST": "localhost",
        "SMTP_PORT": str(mail_server.port), "SMTP_USERNAME": LOGIN[0], "SMTP_PASSWORD": LOGIN[1],
        "MAIL_FROM": FROM, "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"],
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "tests.system.mail.send_due"],
        cwd=ROOT, env=clean_environment() | settings,
    )  # fmt: skip


def test_a_server_sends_by_itself(serve: Serve, mail_server: MailServer, sqlite_url: str) -> None:
    arrived = threading.Event()
    mail_server.meanwhile["QUIT"] = arrived.set
    settings = {
        "SMTP_HOST": "localhost", "SMTP_PORT": str(mail_server.port), "SMTP_USERNAME": LOGIN[0],
        "SMTP_PASSWORD": LOGIN[1], "MAIL_FROM": FROM, "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"],
    }  # fmt: skip
    with serve(sqlite_url, **settings) as server:
        assert once(server.url, "POST", "/register", **DUMMY).status == 201
        assert arrived.wait(30)
        wait_until(lambda: "mail.delivered" in server.log.read_text(), "the line of the log")
        log = server.log.read_text()
    assert mail_server.addresses == [DUMMY["email"]]
    assert [text for text in (DUMMY["email"], LOGIN[1], "?token=") if text in log] == []


@pytest.mark.alone
def test_no_request_waits_for_a_silent_mail_server(
    serve: Serve, certificate: Certificate, sqlite_url: str, tmp_path: Path
) -> None:
    """Medians of requests that alternate between two services, one of whose servers is silent."""
    second = tmp_path / "second.db"
    shutil.copy(tmp_path / "test.db", second)
    common = {"SMTP_TLS": "none", "MAIL_FROM": FROM, "WORKERS": "1"}
    with scripted() as silent, MailServer(certificate, "none").run() as good:
        with ExitStack() as servers:
            urls: dict[str, Server] = {}
            for name, port, url in (
                ("silent", silent, sqlite_url), ("good", good.port, f"sqlite:///{second}"),
            ):  # fmt: skip
                settings = common | {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port)}
                urls[name] = servers.enter_context(serve(url, tmp_path / name, **settings))
            times: dict[tuple[str, str], list[float]]
            times = {(name, path): [] for name in urls for path in ("/register", RESET)}
            for number in range(40):
                for name, server in urls.items():
                    email = f"person{number}@example.com"
                    person = DUMMY | {"username": f"person{number}", "email": email}
                    for path, fields, status in (
                        ("/register", person, 201), (RESET, {"email": email}, 202),
                    ):  # fmt: skip
                        began = perf_counter()
                        assert once(server.url, "POST", path, **fields).status == status
                        times[name, path].append(perf_counter() - began)
        assert good.mails
    medians = {key: median(found) for key, found in times.items()}
    # Hashing, which registering does, takes longer by chance than a whole mail.
    for path, noise in (("/register", medians["good", "/register"] / 2), (RESET, 0)):
        assert medians["silent", path] - medians["good", path] < 0.05 + noise
