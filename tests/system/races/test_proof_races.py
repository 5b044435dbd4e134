"""Links and codes of mails: used once, whatever else happens in the same moment."""

# ruff: noqa: B023 - every operation ends within its own round
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from app.accounts import disabling, password_change, profile_change, registration
from app.accounts.by_mail import email_verification, password_reset, taking_back
from app.accounts.login import log_in
from app.core import proofs
from app.core.proofs import EMAIL_VERIFICATION, PASSWORD_RESET
from app.sessions.origin import Actor, Origin
from tests.support.databases import execute, select
from tests.support.holding import while_hashing
from tests.support.mails import Mail, delivered

ROUNDS = range(10)
CLIENTS = 50
OLD, NEW, THIRD = "correct horse", "battery staple", "third password"
EMAIL, OTHER_EMAIL = "sari@example.com", "lain@example.com"
HERE = Origin("192.0.2.1", "owner")
THERE = Origin("198.51.100.7", "thief")


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    app = make_app()
    with app.app_context():
        yield app


@pytest.fixture
def slow(make_app: Callable[..., Flask], app: Flask) -> Flask:
    """Another worker, whose hashing is held."""
    return make_app()


@pytest.fixture
def user_id(app: Flask) -> int:
    return registration.register("sari", EMAIL, OLD, HERE).id


def reset_mail(app: Flask) -> Mail:
    password_reset.request_reset(EMAIL, HERE.client)
    return delivered(app, to=EMAIL, page="/reset")[-1]


def actor(password: str = OLD) -> Actor:
    grant = log_in("sari", password, HERE)
    return Actor(grant.user_id, grant.session_id, HERE.client)


def statuses(apps: list[Flask], path: str, body: dict[str, str]) -> Counter[int]:
    """Send one body from fifty clients of several workers, all in one moment."""
    gate = Barrier(CLIENTS)

    def send(number: int) -> int:
        client = apps[number % len(apps)].test_client()
        gate.wait(timeout=30)
        return client.post(path, json=body).status_code

    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(pool.map(send, range(CLIENTS)))


USES: dict[str, tuple[str, str, Callable[[Mail], dict[str, str]]]] = {
    "reset, token": ("/reset", "/api/auth/password/reset/confirm/", lambda m: {"token": m.token}),
    "reset, code": (
        "/reset", "/api/auth/password/reset/confirm/", lambda m: {"email": m.to, "code": m.code},
    ),
    "verification, token": (
        "/verify", "/api/auth/email/verify/confirm/", lambda m: {"token": m.token},
    ),
    "verification, code": (
        "/verify", "/api/auth/email/verify/confirm/", lambda m: {"email": m.to, "code": m.code},
    ),
    "undo": ("/undo", "/api/auth/email/undo/", lambda m: {"token": m.token}),
}  # fmt: skip


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_of_fifty_uses_at_once_one_succeeds(
    app: Flask, slow: Flask, user_id: int, use: tuple[str, str, Callable[[Mail], dict[str, str]]]
) -> None:
    page, path, proof_of = use
    reset_mail(app)
    password_change.set_password(user_id, THIRD)  # brings the notice with the undo
    if page == "/reset":
        reset_mail(app)
    mail = delivered(app, to=EMAIL, page=page)[-1]
    body = proof_of(mail) | ({"new_password": NEW} if page == "/reset" else {})
    assert statuses([app, slow], path, body) == {200: 1, 400: CLIENTS - 1}


def test_twenty_requests_at_once_leave_one_proof(
    app: Flask, slow: Flask, user_id: int, database_url: str
) -> None:
    gate = Barrier(20)

    def ask(number: int) -> None:
        with (app, slow)[number % 2].app_context():
            gate.wait(timeout=30)
            email_verification.request_verification(user_id, HERE.client)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(ask, range(20)))
    living = f"SELECT count(*) FROM one_time WHERE purpose = '{EMAIL_VERIFICATION}'"
    assert select(database_url, living) == [(1,)]
    assert select(database_url, "SELECT count(*) FROM outbox") == [(1,)]


# --- a reset in progress -------------------------------------------------------------------------


def test_a_reset_in_progress_does_not_survive_a_password_change(
    app: Flask, slow: Flask, user_id: int
) -> None:
    now, other = OLD, NEW
    for _ in ROUNDS:
        proof = proofs.find_by_token(PASSWORD_RESET, reset_mail(app).token)
        owner = actor(now)
        work = lambda: password_reset.reset_password(proof, THIRD, THERE.client)  # noqa: E731
        with while_hashing(slow, work) as reset:
            password_change.change_password(owner, now, other)
        assert reset.outcome() == "ProofRefusedError"
        log_in("sari", other, HERE)
        now, other = other, now


def disable_and_enable(user_id: int, _owner: Actor) -> None:
    disabling.set_disabled(user_id, disabled=True)
    disabling.set_disabled(user_id, disabled=False)


CONFLICTS: dict[str, Callable[[int, Actor], Any]] = {
    "disabling and enabling": disable_and_enable,
    "disabling": lambda user_id, _: disabling.set_disabled(user_id, disabled=True),
    "another e-mail": lambda _, owner: profile_change.change_profile(owner, OLD, email=OTHER_EMAIL),
}


@pytest.mark.parametrize("conflict", CONFLICTS.values(), ids=CONFLICTS)
def test_a_reset_in_progress_does_not_survive(
    app: Flask,
    slow: Flask,
    user_id: int,
    database_url: str,
    conflict: Callable[[int, Actor], Any],
) -> None:
    for _ in ROUNDS:
        proof = proofs.find_by_token(PASSWORD_RESET, reset_mail(app).token)
        owner = actor()
        work = lambda: password_reset.reset_password(proof, NEW, THERE.client)  # noqa: E731
        with while_hashing(slow, work) as reset:
            conflict(user_id, owner)
        assert reset.outcome() == "ProofRefusedError"
        execute(
            database_url,
            f"UPDATE user SET disabled_at = NULL, email = '{EMAIL}', email_key = '{EMAIL}'",
            "DELETE FROM one_time",
        )
        log_in("sari", OLD, HERE)


def test_of_two_resets_in_progress_one_succeeds(app: Flask, slow: Flask, user_id: int) -> None:
    for _ in ROUNDS:
        proof = proofs.find_by_token(PASSWORD_RESET, reset_mail(app).token)
        work = lambda: password_reset.reset_password(proof, NEW, THERE.client)  # noqa: E731
        with while_hashing(slow, work) as late:
            password_reset.reset_password(proof, THIRD, HERE.client)
        assert late.outcome() == "ProofRefusedError"
        log_in("sari", THIRD, HERE)


def test_a_reset_in_progress_does_not_survive_the_account_being_taken_back(
    app: Flask, slow: Flask, user_id: int
) -> None:
    for _ in ROUNDS:
        password_change.set_password(user_id, OLD)
        undo = delivered(app, to=EMAIL, page="/undo")[-1]
        proof = proofs.find_by_token(PASSWORD_RESET, reset_mail(app).token)
        work = lambda: password_reset.reset_password(proof, NEW, THERE.client)  # noqa: E731
        with while_hashing(slow, work) as reset:
            taking_back.take_back(undo.token, HERE.client)
        assert reset.outcome() == "ProofRefusedError"


# --- what a reset or an undo overtakes -----------------------------------------------------------


def test_a_login_in_progress_does_not_survive_a_reset(
    app: Flask, slow: Flask, user_id: int, database_url: str
) -> None:
    now, other = OLD, NEW
    for _ in ROUNDS:
        proof = proofs.find_by_token(PASSWORD_RESET, reset_mail(app).token)
        with while_hashing(slow, lambda: log_in("sari", now, THERE)) as login:
            password_reset.reset_password(proof, other, HERE.client)
        assert login.outcome() == "InvalidCredentialsError"
        living = "SELECT count(*) FROM session WHERE revoked_at IS NULL"
        assert select(database_url, living) == [(0,)]
        now, other = other, now


def test_a_login_in_progress_does_not_survive_the_account_being_taken_back(
    app: Flask, slow: Flask, user_id: int
) -> None:
    for _ in ROUNDS:
        password_change.set_password(user_id, OLD)
        undo = delivered(app, to=EMAIL, page="/undo")[-1]
        with while_hashing(slow, lambda: log_in("sari", OLD, THERE)) as login:
            taking_back.take_back(undo.token, HERE.client)
        assert login.outcome() == "InvalidCredentialsError"


def test_a_password_change_in_progress_does_not_survive_a_reset(
    app: Flask, slow: Flask, user_id: int
) -> None:
    now, other = OLD, NEW
    for _ in ROUNDS:
        thief = actor(now)
        proof = proofs.find_by_token(PASSWORD_RESET, reset_mail(app).token)
        work = lambda: password_change.change_password(thief, now, THIRD)  # noqa: E731
        with while_hashing(slow, work, hashes=2) as change:
            password_reset.reset_password(proof, other, HERE.client)
        assert change.outcome() in {"TokenRevokedError", "WrongPasswordError"}
        log_in("sari", other, HERE)
        now, other = other, now


def test_a_registration_in_progress_does_not_get_an_email_that_is_given_up(
    app: Flask, slow: Flask, user_id: int, database_url: str
) -> None:
    for number in ROUNDS:
        owner = actor()
        work = lambda: registration.register(f"thief{number}", EMAIL, NEW, THERE)  # noqa: E731
        with while_hashing(slow, work) as register:
            profile_change.change_profile(owner, OLD, email=OTHER_EMAIL)
        assert register.outcome() == "EmailTakenError"
        profile_change.change_profile(owner, OLD, email=EMAIL)
        execute(database_url, "DELETE FROM one_time")
