"""Outside identities: which account they open, and what they may not do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from app.accounts import registration, sessions, social, users
from app.accounts.errors import (
    ConnectNeededError,
    DisabledError,
    EmailTakenError,
    IdentityTakenError,
    InvalidCredentialsError,
    InvalidGrantError,
    LastWayInError,
    NotFoundError,
    PasswordSetError,
    SignInAgainError,
    TokenRevokedError,
    UsernameTakenError,
)
from app.accounts.sessions import Origin
from app.accounts.social import Outsider
from app.extensions import db
from tests.conftest import execute, select

HERE = Origin("192.0.2.1", "Mozilla/5.0")
VERIFIER = "v" * 43
SARI = Outsider("google", "1001", "sari@example.com", email_verified=True, name="Sari Wulandari")
SARI_ELSEWHERE = Outsider("oidc", "s-1", "Sari@example.com", email_verified=True, name="Sari")
FACEBOOK = {"facebook_client_id": "app", "facebook_client_secret": "secret"}
GOOGLE = {"google_client_id": "id", "google_client_secret": "secret"}
OIDC = {
    "oidc_name": "Work", "oidc_issuer": "https://id.example.com",
    "oidc_client_id": "id", "oidc_client_secret": "secret",
}  # fmt: skip


@pytest.fixture(autouse=True)
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    app = make_app(**GOOGLE, **FACEBOOK, **OIDC)
    with app.app_context():
        yield app


def person(**changes: object) -> Outsider:
    facts = {
        "provider": "facebook", "subject": "1", "email": None, "email_verified": False,
    }  # fmt: skip
    return Outsider(**(facts | changes))


def local(username: str = "sari", email: str = "sari@example.com") -> int:
    return registration.register(username, email, "correct horse").id


def own(user_id: int) -> list[social.IdentityInfo]:
    """The identities of an account; the transaction does not stay open for others to wait."""
    found = social.identities(user_id)
    db.session.rollback()
    return found


def audit(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    records = [r for r in caplog.records if r.name == "loguserapp.audit"]
    return [(r.getMessage(), getattr(r, "outcome", "")) for r in records]


# --- visits --------------------------------------------------------------------------------------


def test_a_first_visit_makes_an_account_and_a_second_finds_it(caplog) -> None:
    caplog.set_level(logging.INFO)
    first = social.visit(SARI)
    assert first.made
    profile = users.profile(first.user_id)
    assert (profile.username, profile.email) == ("sari.wulandari", "sari@example.com")
    assert not users.has_password(first.user_id)
    assert social.visit(SARI) == social.Visit(first.user_id)
    assert audit(caplog) == [("social_register", "success"), ("social_login", "success")]
    assert "sari@" not in caplog.text
    assert "1001" not in caplog.text


def test_the_key_is_the_subject_and_never_the_email() -> None:
    first = social.visit(SARI)
    moved = person(provider="google", subject="1001", email="new@example.com", email_verified=True)
    assert social.visit(moved).user_id == first.user_id
    assert users.profile(first.user_id).email == "sari@example.com"
    (identity,) = own(first.user_id)
    assert identity.email == "new@example.com"
    # The same number at another provider is another person.
    assert social.visit(person(subject="1001")).user_id != first.user_id


@pytest.mark.parametrize(
    ("name", "email", "username"),
    [
        ("Sari Wulandari", None, "sari.wulandari"),
        ("Ágnes O'Neil-Ström", None, "agnes.o.neil.strom"),
        ("王小明", "xiaoming@example.com", "xiaoming"),
        ("Сергей", None, "user"),
        (None, None, "user"),
        ("Li", None, "li.user"),
        ("x" * 500, None, "x" * 64),
        ("\r\n<script>", None, "script"),
    ],
)
def test_the_username_is_made_of_the_name(name, email, username) -> None:
    visit = social.visit(person(name=name, email=email))
    assert users.profile(visit.user_id).username == username


def test_a_username_that_is_taken_gets_a_number() -> None:
    names = [
        users.profile(social.visit(person(subject=str(n), name="Budi")).user_id).username
        for n in range(7)
    ]
    assert names[:5] == ["budi", "budi2", "budi3", "budi4", "budi5"]
    assert len(set(names)) == 7


def test_parallel_first_visits_make_one_account(app: Flask, database_url: str) -> None:
    together = threading.Barrier(6)

    def go(_: int) -> int:
        with app.app_context():
            together.wait()
            return social.visit(SARI).user_id

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(go, range(6)))) == 1
    assert select(database_url, "SELECT count(*) FROM user") == [(1,)]


def test_first_visits_of_many_people_at_once_all_succeed(app: Flask) -> None:
    together = threading.Barrier(8)

    def go(n: int) -> int:
        with app.app_context():
            together.wait()
            return social.visit(person(subject=str(n), email=f"p{n}@example.com")).user_id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(go, range(8)))) == 8


# --- joining -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "outsider",
    [SARI, person(email="sari@example.com"), person(provider="oidc", email="SARI@example.com")],
)
def test_the_email_of_a_password_account_joins_nothing(outsider, caplog) -> None:
    caplog.set_level(logging.INFO)
    user_id = local()
    with pytest.raises(ConnectNeededError):
        social.visit(outsider)
    assert own(user_id) == []
    assert ("social_join", "refused") in audit(caplog)


def test_an_unverified_email_does_not_join_a_verified_one() -> None:
    social.visit(SARI)
    with pytest.raises(ConnectNeededError):
        social.visit(person(email="sari@example.com"))


def test_an_email_verified_on_both_sides_joins() -> None:
    first = social.visit(SARI)
    joined = social.visit(SARI_ELSEWHERE)
    assert joined == social.Visit(first.user_id)
    assert [i.provider for i in own(first.user_id)] == ["google", "oidc"]


def test_a_join_keeps_what_the_verified_owner_set() -> None:
    first = social.visit(SARI)
    grant = sessions.open_for(first.user_id, HERE)
    registration.set_first_password(first.user_id, "correct horse", session_id=grant.session_id)
    assert not social.visit(SARI_ELSEWHERE).password_removed
    assert sessions.log_in("sari.wulandari", "correct horse", HERE)
    sessions.check(grant.access_token)


def test_a_join_kills_what_an_unverified_owner_had_set(database_url: str) -> None:
    user_id = local()
    social.connect(user_id, person(subject="waiting"))
    before = sessions.log_in("sari", "correct horse", HERE)
    code = social.issue_code(user_id, social.s256(VERIFIER))
    # The day on which somebody proves the e-mail, which may be another than who registered it.
    execute(
        database_url,
        "UPDATE user SET created_at = '2026-01-01', email_verified_at = '2026-02-01'",
        "UPDATE identity SET created_at = '2026-01-02'",
    )
    joined = social.visit(SARI)
    assert joined == social.Visit(user_id, password_removed=True)
    with pytest.raises(InvalidCredentialsError):
        sessions.log_in("sari", "correct horse", HERE)
    with pytest.raises(TokenRevokedError):
        sessions.check(before.access_token)
    with pytest.raises(TokenRevokedError):
        sessions.refresh(before.refresh_token)
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)
    assert [i.provider for i in own(user_id)] == ["google"]


def test_another_email_is_not_proven_any_more() -> None:
    first = social.visit(SARI)
    grant = sessions.open_for(first.user_id, HERE)
    registration.set_first_password(first.user_id, "correct horse", session_id=grant.session_id)
    registration.change_profile(first.user_id, "correct horse", email="SARI@example.com")
    assert social.visit(SARI_ELSEWHERE).user_id == first.user_id
    registration.change_profile(first.user_id, "correct horse", email="victim@example.com")
    with pytest.raises(ConnectNeededError):
        social.visit(
            person(provider="google", subject="9", email="victim@example.com", email_verified=True)
        )


# --- without an e-mail ---------------------------------------------------------------------------


def test_two_people_without_an_email_are_two_accounts() -> None:
    one, other = social.visit(person(name="Ayu")), social.visit(person(subject="2", name="Ayu"))
    assert one.user_id != other.user_id
    assert users.profile(one.user_id).email is None


def test_the_email_given_later_is_not_proven() -> None:
    visit = social.visit(person(name="Ayu"))
    profile = social.settle(visit.user_id, "ayu", "sari@example.com")
    assert (profile.username, profile.email) == ("ayu", "sari@example.com")
    with pytest.raises(ConnectNeededError):
        social.visit(SARI)


def test_settling_respects_what_others_have() -> None:
    local()
    visit = social.visit(person(name="Ayu"))
    with pytest.raises(UsernameTakenError):
        social.settle(visit.user_id, "SARI", None)
    with pytest.raises(EmailTakenError):
        social.settle(visit.user_id, "ayu", "Sari@example.com")
    # An e-mail that a provider has proven is not replaced here.
    proven = social.visit(person(provider="oidc", subject="2", email="b@example.com"))
    assert social.settle(proven.user_id, "budi", "c@example.com").email == "b@example.com"


# --- connecting and disconnecting ----------------------------------------------------------------


def test_connecting_and_disconnecting(caplog) -> None:
    caplog.set_level(logging.INFO)
    user_id = local()
    social.connect(user_id, SARI)
    social.connect(user_id, SARI)  # again changes nothing
    (identity,) = own(user_id)
    assert (identity.provider, identity.email) == ("google", "sari@example.com")
    assert social.visit(SARI) == social.Visit(user_id)
    social.disconnect(user_id, identity.id)
    assert own(user_id) == []
    with pytest.raises(ConnectNeededError):
        social.visit(SARI)
    assert {("social_connect", "success"), ("social_disconnect", "success")} <= set(audit(caplog))


def test_an_identity_opens_one_account_alone() -> None:
    social.visit(SARI)
    other = local("other", "other@example.com")
    with pytest.raises(IdentityTakenError):
        social.connect(other, SARI)
    assert own(other) == []


def test_nobody_disconnects_another_persons_identity() -> None:
    visit = social.visit(SARI)
    (identity,) = own(visit.user_id)
    with pytest.raises(NotFoundError):
        social.disconnect(local("other", "other@example.com"), identity.id)
    assert own(visit.user_id) == [identity]


def test_the_last_way_in_stays(caplog) -> None:
    visit = social.visit(SARI)
    (google,) = own(visit.user_id)
    with pytest.raises(LastWayInError):
        social.disconnect(visit.user_id, google.id)
    social.connect(visit.user_id, person())
    social.disconnect(visit.user_id, google.id)
    (facebook,) = own(visit.user_id)
    with pytest.raises(LastWayInError):
        social.disconnect(visit.user_id, facebook.id)
    assert ("social_disconnect", "refused") in audit(caplog)


def test_an_identity_of_a_provider_no_longer_offered_is_no_way_in(make_app) -> None:
    visit = social.visit(SARI)
    social.connect(visit.user_id, person())
    google, _facebook = own(visit.user_id)
    with make_app(**GOOGLE).app_context(), pytest.raises(LastWayInError):
        social.disconnect(visit.user_id, google.id)


def test_two_identities_do_not_leave_at_once(app: Flask) -> None:
    visit = social.visit(SARI)
    social.connect(visit.user_id, person())
    both = [identity.id for identity in own(visit.user_id)]
    together = threading.Barrier(2)

    def go(identity_id: int) -> bool:
        with app.app_context():
            together.wait()
            try:
                social.disconnect(visit.user_id, identity_id)
            except LastWayInError:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(go, both)) == [False, True]
    assert len(own(visit.user_id)) == 1


def test_a_deleted_account_takes_its_identities_along(database_url: str) -> None:
    visit = social.visit(SARI)
    social.issue_code(visit.user_id, social.s256(VERIFIER))
    registration.delete(visit.user_id)
    for table in ("identity", "social_code"):
        assert select(database_url, f"SELECT count(*) FROM {table}") == [(0,)]
    assert social.visit(SARI).made


# --- disabled accounts and first passwords -------------------------------------------------------


def test_a_disabled_account_opens_to_no_identity(caplog) -> None:
    visit = social.visit(SARI)
    registration.set_disabled(visit.user_id, disabled=True)
    with pytest.raises(DisabledError):
        social.visit(SARI)
    with pytest.raises(DisabledError):
        social.visit(SARI_ELSEWHERE)  # nor is it joined
    with pytest.raises(DisabledError):
        sessions.open_for(visit.user_id, HERE)
    assert ("social_login", "refused") in audit(caplog)
    registration.set_disabled(visit.user_id, disabled=False)
    assert len(own(visit.user_id)) == 1


def test_the_first_password_needs_a_fresh_sign_in(database_url: str) -> None:
    visit = social.visit(SARI)
    grant = sessions.open_for(visit.user_id, HERE)
    execute(database_url, "UPDATE session SET created_at = '2026-01-01'")
    with pytest.raises(SignInAgainError):
        registration.set_first_password(visit.user_id, "correct horse", session_id=grant.session_id)
    fresh = sessions.open_for(visit.user_id, HERE)
    registration.set_first_password(visit.user_id, "correct horse", session_id=fresh.session_id)
    assert sessions.log_in("sari@example.com", "correct horse", HERE).user_id == visit.user_id
    with pytest.raises(PasswordSetError):
        registration.set_first_password(visit.user_id, "another one", session_id=fresh.session_id)


# --- one-time codes ------------------------------------------------------------------------------


def test_a_code_is_good_once_and_nothing_replayable_is_stored(database_url: str) -> None:
    visit = social.visit(SARI)
    code = social.issue_code(visit.user_id, social.s256(VERIFIER))
    stored = select(database_url, "SELECT * FROM social_code")
    assert code not in str(stored)
    assert VERIFIER not in str(stored)
    grant = social.redeem_code(code, VERIFIER, HERE)
    assert sessions.check(grant.access_token).user_id == visit.user_id
    assert sessions.refresh(grant.refresh_token).user_id == visit.user_id
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)


def test_a_code_needs_its_verifier_and_is_used_up_by_another() -> None:
    visit = social.visit(SARI)
    code = social.issue_code(visit.user_id, social.s256(VERIFIER))
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, "w" * 43, HERE)
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)


def test_a_code_ends_after_a_minute(database_url: str) -> None:
    visit = social.visit(SARI)
    code = social.issue_code(visit.user_id, social.s256(VERIFIER))
    execute(database_url, "UPDATE social_code SET expires_at = '2026-01-01'")
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)
    social.issue_code(visit.user_id, social.s256(VERIFIER))
    execute(database_url, "UPDATE social_code SET expires_at = '2026-01-01'")
    social.purge()
    assert select(database_url, "SELECT count(*) FROM social_code") == [(0,)]


def test_a_code_exchanged_many_times_at_once_opens_one_session(app: Flask) -> None:
    visit = social.visit(SARI)
    code = social.issue_code(visit.user_id, social.s256(VERIFIER))
    together = threading.Barrier(6)

    def go(_: int) -> bool:
        with app.app_context():
            together.wait()
            try:
                social.redeem_code(code, VERIFIER, HERE)
            except InvalidGrantError:
                return False
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(go, range(6))) == 1
    assert len(sessions.list_sessions(visit.user_id)) == 1


@pytest.mark.parametrize("code", ["", "x", "é", "x" * 5000])
def test_a_code_that_was_made_up_opens_nothing(code: str) -> None:
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)


def test_a_code_of_a_disabled_account_opens_nothing() -> None:
    visit = social.visit(SARI)
    code = social.issue_code(visit.user_id, social.s256(VERIFIER))
    registration.set_disabled(visit.user_id, disabled=True)
    with pytest.raises(DisabledError):
        social.redeem_code(code, VERIFIER, HERE)
