"""External identities: which account each logs in to, and what it may not do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError

from app import housekeeping
from app.accounts import confirmation, registration, sessions, social, users
from app.accounts.confirmation import Asking
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
    ReauthenticationRequiredError,
    StaleSignInError,
    TokenRevokedError,
    UsernameTakenError,
    WrongPasswordError,
)
from app.accounts.sessions import Grant, Origin
from app.accounts.social import ExternalIdentity
from app.accounts.users import commit_unique
from app.config import DEMO_ISSUER
from app.extensions import db
from app.models import Identity, utcnow
from tests.conftest import execute, select

HERE = Origin("192.0.2.1", "Mozilla/5.0")
VERIFIER = "v" * 43
PASSWORD = "correct horse"
ROUNDS = range(20)
ISSUERS = {
    "google": "https://accounts.google.com",
    "facebook": "https://www.facebook.com",
    "oidc": "https://id.example.com",
}
FACEBOOK = {"facebook_client_id": "app", "facebook_client_secret": "secret"}
GOOGLE = {"google_client_id": "id", "google_client_secret": "secret"}
OIDC = {
    "oidc_name": "Work", "oidc_issuer": ISSUERS["oidc"],
    "oidc_client_id": "id", "oidc_client_secret": "secret",
}  # fmt: skip
EVERYTHING = GOOGLE | FACEBOOK | OIDC


@pytest.fixture(autouse=True)
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    app = make_app(**EVERYTHING)
    with app.app_context():
        yield app


def person(provider: str = "facebook", subject: str = "1", **changes: object) -> ExternalIdentity:
    facts = {"issuer": ISSUERS[provider], "email": None, "email_proven": False}
    return ExternalIdentity(provider=provider, subject=subject, **(facts | changes))


SARI = person("google", "1001", email="sari@example.com", email_proven=True, name="Sari Wulandari")
SARI_ELSEWHERE = person("oidc", "s-1", email="Sari@example.com", email_proven=True, name="Sari")


def local(username: str = "sari", email: str = "sari@example.com") -> int:
    return registration.register(username, email, PASSWORD).id


def by_password(name: str = "sari", password: str = PASSWORD) -> Asking:
    """A new session that a password opened."""
    return asking(sessions.log_in(name, password, HERE))


def by_provider(identity: ExternalIdentity, *, proven: bool = True) -> Grant:
    """A new session that an identity opened; `proven`: the provider asked the person just now."""
    return social.open_session(social.visit(identity), HERE, utcnow() if proven else None)


def asking(grant: Grant) -> Asking:
    return Asking(grant.user_id, grant.session_id, HERE.address)


def connect(who: Asking, identity: ExternalIdentity) -> social.Visit:
    """Connect within the time in which the session's last proof counts."""
    confirmed = confirmation.confirm(who, None, recent_suffices=True)
    return social.connect(who, confirmed.epoch, identity)


def code_for(visit: social.Visit) -> str:
    return social.issue_code(visit, social.s256(VERIFIER))


def own(user_id: int) -> list[social.IdentityInfo]:
    """The identities of an account; the transaction does not stay open for others to wait."""
    found = social.identities(user_id)
    db.session.rollback()
    return found


def epoch(database_url: str, user_id: int) -> int:
    ((number,),) = select(database_url, f"SELECT auth_epoch FROM user WHERE id = {user_id}")
    return number


def alive(session_id: int) -> bool:
    found = db.session.get(sessions.Session, session_id, populate_existing=True)
    db.session.rollback()
    assert found is not None
    return found.revoked_at is None


def audit(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    records = [r for r in caplog.records if r.name == "loguserapp.audit"]
    return [(r.getMessage(), getattr(r, "outcome", "")) for r in records]


# --- visits --------------------------------------------------------------------------------------


def test_a_first_visit_makes_an_account_and_a_second_finds_it(caplog) -> None:
    caplog.set_level(logging.INFO)
    first = social.visit(SARI)
    assert first.created
    profile = users.profile(first.user_id)
    assert (profile.username, profile.email) == ("sari.wulandari", "sari@example.com")
    assert not users.has_password(first.user_id)
    assert social.visit(SARI) == replace(first, created=False)
    assert audit(caplog) == [("social_register", "success"), ("social_login", "success")]
    assert "sari@" not in caplog.text
    assert "1001" not in caplog.text


def test_the_key_is_the_subject_and_never_the_email() -> None:
    first = social.visit(SARI)
    moved = replace(SARI, email="new@example.com")
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


def test_an_equal_subject_of_another_issuer_is_another_person(make_app) -> None:
    employee = by_provider(person("oidc", "7", email="siti@example.com"))
    moved = make_app(**EVERYTHING | {"oidc_issuer": "https://new.example.com"})
    with moved.app_context():
        stranger = person("oidc", "7", issuer="https://new.example.com", name="Siti")
        visit = social.visit(stranger)
        assert visit.created
        assert visit.user_id != employee.user_id
        (former,) = own(employee.user_id)
        assert (former.provider, former.usable) == ("oidc", False)
        # It is shown, and does not count as a login method.
        connect(asking(employee), SARI)
        google = next(i for i in own(employee.user_id) if i.provider == "google")
        with pytest.raises(LastWayInError):
            social.disconnect(asking(employee), google.id, None)
        social.disconnect(asking(employee), former.id, None)
        assert [i.provider for i in own(employee.user_id)] == ["google"]


def test_a_demo_identity_is_no_login_method_once_the_demo_is_off(make_app) -> None:
    with make_app(**EVERYTHING, social_demo=True).app_context():
        demo = by_provider(person("oidc", "demo-sari", issuer=DEMO_ISSUER))
        assert [i.usable for i in own(demo.user_id)] == [True]
    assert [i.usable for i in own(demo.user_id)] == [False]
    # The provider that is configured now may have a person of that subject.
    assert social.visit(person("oidc", "demo-sari")).user_id != demo.user_id


# --- joining -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "identity",
    [SARI, person(email="sari@example.com"), person("oidc", email="SARI@example.com")],
)
def test_the_email_of_a_password_account_joins_nothing(identity, caplog) -> None:
    caplog.set_level(logging.INFO)
    user_id = local()
    with pytest.raises(ConnectNeededError):
        social.visit(identity)
    assert own(user_id) == []
    assert ("social_join", "refused") in audit(caplog)


def test_an_unproven_email_does_not_join_a_proven_one() -> None:
    social.visit(SARI)
    with pytest.raises(ConnectNeededError):
        social.visit(person(email="sari@example.com"))


def test_an_email_proven_on_both_sides_joins(database_url: str) -> None:
    first = social.visit(SARI)
    joined = social.visit(SARI_ELSEWHERE)
    assert (joined.user_id, joined.created) == (first.user_id, False)
    assert [i.provider for i in own(first.user_id)] == ["google", "oidc"]
    assert joined.epoch == epoch(database_url, first.user_id) == first.epoch + 1


def test_a_second_subject_of_an_issuer_is_a_second_person(database_url: str) -> None:
    owner = by_provider(SARI)
    second = replace(SARI, subject="2002")
    with pytest.raises(ConnectNeededError):
        social.visit(second)
    with pytest.raises(ConnectNeededError):
        social.take_email(second, owner.user_id)  # the holder has proven the e-mail
    assert epoch(database_url, owner.user_id) == 0
    assert sessions.check(owner.access_token)
    assert len(own(owner.user_id)) == 1


def test_a_join_ends_the_logins_and_codes_in_progress() -> None:
    begun = social.visit(SARI)
    code = code_for(begun)
    social.visit(SARI_ELSEWHERE)
    with pytest.raises(StaleSignInError):
        social.open_session(begun, HERE, utcnow())
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)


def test_a_join_keeps_what_the_proven_owner_set() -> None:
    first = by_provider(SARI)
    registration.set_first_password(asking(first), PASSWORD)
    assert not social.visit(SARI_ELSEWHERE).password_removed
    assert sessions.log_in("sari.wulandari", PASSWORD, HERE)
    sessions.check(first.access_token)


def test_a_join_removes_what_an_unproven_owner_had_set(database_url: str) -> None:
    user_id = local()
    before = sessions.log_in("sari", PASSWORD, HERE)
    code = code_for(connect(asking(before), person(subject="waiting")))
    # The day on which somebody proves the e-mail, who may be another than who registered it.
    execute(
        database_url,
        "UPDATE user SET created_at = '2026-01-01', email_verified_at = '2026-02-01'",
        "UPDATE identity SET created_at = '2026-01-02'",
    )
    joined = social.visit(SARI)
    assert (joined.user_id, joined.created, joined.password_removed) == (user_id, False, True)
    with pytest.raises(InvalidCredentialsError):
        sessions.log_in("sari", PASSWORD, HERE)
    with pytest.raises(TokenRevokedError):
        sessions.check(before.access_token)
    with pytest.raises(TokenRevokedError):
        sessions.refresh(before.refresh_token, HERE)
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)
    assert [i.provider for i in own(user_id)] == ["google"]


def test_another_email_is_not_proven_any_more() -> None:
    first = by_provider(SARI)
    registration.set_first_password(asking(first), PASSWORD)
    registration.change_profile(asking(first), PASSWORD, email="SARI@example.com")
    assert social.visit(SARI_ELSEWHERE).user_id == first.user_id
    registration.change_profile(asking(first), PASSWORD, email="victim@example.com")
    with pytest.raises(ConnectNeededError):
        social.visit(person("oidc", "9", email="victim@example.com", email_proven=True))


# --- an unproven holder of an e-mail -------------------------------------------------------------


def test_the_proven_owner_takes_the_email_from_an_unproven_holder(
    database_url: str, caplog
) -> None:
    caplog.set_level(logging.INFO)
    holder_id = local("squatter")
    holder = by_password("squatter")
    assert social.named_account(SARI) == social.NamedAccount(holder_id, can_decline=True)
    taken = social.take_email(SARI, holder_id)
    assert taken.created
    assert taken.user_id != holder_id
    assert users.profile(taken.user_id).email == "sari@example.com"
    assert users.profile(holder_id).email is None
    assert epoch(database_url, holder_id) == 1
    assert ("email_taken", "success") in audit(caplog)
    # The holder keeps the rest: it may be the same person, who proved nothing yet.
    assert alive(holder.session_id)
    assert by_password("squatter").user_id == holder_id
    with pytest.raises(InvalidCredentialsError):
        by_password("sari@example.com")


def test_a_proven_holder_is_not_robbed() -> None:
    owner = social.visit(SARI)
    for other in (SARI_ELSEWHERE, replace(SARI, subject="2002")):
        assert social.named_account(other) == social.NamedAccount(owner.user_id, can_decline=False)
        with pytest.raises(ConnectNeededError):
            social.take_email(other, owner.user_id)
    assert users.profile(owner.user_id).email == "sari@example.com"


@pytest.mark.parametrize("provider", ["google", "facebook", "oidc"])
def test_a_provider_that_is_not_authoritative_takes_no_email(provider: str) -> None:
    holder_id = local()
    claimed = person(provider, "5", email="sari@example.com")
    assert social.named_account(claimed) == social.NamedAccount(holder_id, can_decline=False)
    with pytest.raises(ConnectNeededError):
        social.take_email(claimed, holder_id)
    assert users.profile(holder_id).email == "sari@example.com"


def test_an_identity_that_has_an_account_takes_no_email() -> None:
    holder_id = local()
    connect(by_password(), SARI)
    with pytest.raises(IdentityTakenError):
        social.take_email(SARI, holder_id)
    assert users.profile(holder_id).email == "sari@example.com"


def test_nobody_is_named_where_nobody_has_the_email() -> None:
    assert social.named_account(SARI) is None
    assert social.named_account(person()) is None
    with pytest.raises(ConnectNeededError):
        social.take_email(SARI, 1)


def test_an_email_is_taken_from_the_declined_account_alone() -> None:
    declined = local("squatter")
    registration.change_profile(by_password("squatter"), PASSWORD, email="other@example.com")
    holder_id = local("another")
    with pytest.raises(ConnectNeededError):
        social.take_email(SARI, declined)
    assert users.profile(holder_id).email == "sari@example.com"


# --- first visits --------------------------------------------------------------------------------


def test_two_people_without_an_email_are_two_accounts() -> None:
    one, other = social.visit(person(name="Ayu")), social.visit(person(subject="2", name="Ayu"))
    assert one.user_id != other.user_id
    assert users.profile(one.user_id).email is None


def test_the_email_given_later_is_not_proven() -> None:
    grant = by_provider(person(name="Ayu"))
    profile = social.complete_first_visit(asking(grant), "ayu", "sari@example.com")
    assert (profile.username, profile.email) == ("ayu", "sari@example.com")
    with pytest.raises(ConnectNeededError):
        social.visit(SARI)


def test_a_first_visit_respects_what_others_have() -> None:
    local()
    who = asking(by_provider(person(name="Ayu")))
    with pytest.raises(UsernameTakenError):
        social.complete_first_visit(who, "SARI")
    with pytest.raises(EmailTakenError):
        social.complete_first_visit(who, "ayu", "Sari@example.com")
    # An e-mail that the provider gave is not replaced here.
    given = asking(by_provider(person("oidc", "2", email="b@example.com")))
    with pytest.raises(NotFoundError):
        social.complete_first_visit(given, "budi", "c@example.com")
    assert social.complete_first_visit(given, "budi").email == "b@example.com"


def test_a_first_visit_is_completed_once_and_within_the_hour(database_url: str) -> None:
    who = asking(by_provider(SARI))
    assert social.is_first_visit(who.user_id)
    social.complete_first_visit(who, "sari")
    assert not social.is_first_visit(who.user_id)
    with pytest.raises(NotFoundError):
        social.complete_first_visit(who, "another")
    late = asking(by_provider(person()))
    execute(database_url, "UPDATE user SET first_visit_until = '2026-01-01'")
    assert not social.is_first_visit(late.user_id)
    with pytest.raises(NotFoundError):
        social.complete_first_visit(late, "another")
    assert not social.is_first_visit(local("other", "other@example.com"))


def test_a_first_visit_ends_with_its_session() -> None:
    who = asking(by_provider(SARI))
    sessions.log_out(who.session_id)
    with pytest.raises(NotFoundError):
        social.complete_first_visit(who, "another")
    assert users.profile(who.user_id).username == "sari.wulandari"


def test_a_first_visit_completed_many_times_at_once_counts_once(app: Flask) -> None:
    who = asking(by_provider(SARI))
    together = threading.Barrier(6)

    def go(n: int) -> bool:
        with app.app_context():
            together.wait()
            try:
                social.complete_first_visit(who, f"sari{n}")
            except NotFoundError:
                return False
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(go, range(6))) == 1


# --- connecting and disconnecting ----------------------------------------------------------------


def test_connecting_and_disconnecting(caplog) -> None:
    caplog.set_level(logging.INFO)
    user_id = local()
    who = by_password()
    first = connect(who, SARI)
    assert connect(who, SARI) == first  # again changes nothing
    (identity,) = own(user_id)
    assert (identity.provider, identity.email) == ("google", "sari@example.com")
    assert social.visit(SARI) == first
    social.disconnect(who, identity.id, None)
    assert own(user_id) == []
    with pytest.raises(ConnectNeededError):
        social.visit(SARI)
    assert {("social_connect", "success"), ("social_disconnect", "success")} <= set(audit(caplog))


def test_an_identity_logs_in_to_one_account_alone() -> None:
    social.visit(SARI)
    other = local("other", "other@example.com")
    with pytest.raises(IdentityTakenError):
        connect(by_password("other"), SARI)
    assert own(other) == []


def test_connecting_and_disconnecting_need_a_recent_proof(database_url: str) -> None:
    local()
    who = by_password()
    visit = connect(who, SARI)
    execute(database_url, "UPDATE session SET proven_at = '2026-01-01'")
    with pytest.raises(ReauthenticationRequiredError):
        connect(who, person())
    with pytest.raises(ReauthenticationRequiredError):
        social.disconnect(who, visit.identity_id, None)
    with pytest.raises(WrongPasswordError):
        social.disconnect(who, visit.identity_id, "wrong password")
    assert len(own(who.user_id)) == 1
    social.disconnect(who, visit.identity_id, PASSWORD)
    connect(who, person())  # the password counts for ten minutes in this session
    with pytest.raises(ReauthenticationRequiredError):
        connect(asking(by_provider(person(), proven=False)), SARI)  # and in no other


def test_a_password_that_is_sent_is_checked_however_recent_the_proof() -> None:
    local()
    who = by_password()
    visit = connect(who, SARI)
    with pytest.raises(WrongPasswordError):
        social.disconnect(who, visit.identity_id, "wrong password")
    assert len(own(who.user_id)) == 1


def test_a_connect_in_progress_does_not_survive_a_password_change() -> None:
    user_id = local()
    who = by_password()
    confirmed = confirmation.confirm(who, PASSWORD, recent_suffices=True)
    registration.change_password(who, PASSWORD, "battery staple")  # at the provider meanwhile
    with pytest.raises(StaleSignInError):
        social.connect(who, confirmed.epoch, SARI)
    assert own(user_id) == []


def test_a_connect_in_progress_does_not_survive_its_session() -> None:
    user_id = local()
    who, other = by_password(), by_password()
    confirmed = confirmation.confirm(who, PASSWORD, recent_suffices=True)
    sessions.log_out(who.session_id)
    with pytest.raises(StaleSignInError):
        social.connect(who, confirmed.epoch, SARI)
    # Nor is another account's session of any use.
    local("other", "other@example.com")
    stranger = by_password("other")
    with pytest.raises(StaleSignInError):
        social.connect(replace(other, session_id=stranger.session_id), confirmed.epoch, SARI)
    assert own(user_id) == []


def test_a_disconnect_of_a_session_that_ended_is_refused() -> None:
    local()
    who = by_password()
    visit = connect(who, SARI)
    sessions.log_out(who.session_id)
    with pytest.raises(TokenRevokedError):
        social.disconnect(who, visit.identity_id, PASSWORD)
    assert len(own(who.user_id)) == 1


def test_nobody_disconnects_another_persons_identity() -> None:
    visit = social.visit(SARI)
    (identity,) = own(visit.user_id)
    local("other", "other@example.com")
    with pytest.raises(NotFoundError):
        social.disconnect(by_password("other"), identity.id, None)
    assert own(visit.user_id) == [identity]


def test_a_disconnect_ends_what_the_identity_opened_and_nothing_else() -> None:
    local()
    who = by_password()
    connect(who, SARI)
    connect(who, person())
    opened, kept = by_provider(SARI), by_provider(person())
    redeemed = social.redeem_code(code_for(social.visit(SARI)), VERIFIER, HERE)
    code, kept_code = code_for(social.visit(SARI)), code_for(social.visit(person()))
    begun = social.visit(SARI)
    social.disconnect(who, begun.identity_id, None)
    for ended in (opened, redeemed):
        with pytest.raises(TokenRevokedError):
            sessions.check(ended.access_token)  # at once: nothing was synchronised in between
        with pytest.raises(TokenRevokedError):
            sessions.refresh(ended.refresh_token, HERE)
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)
    with pytest.raises(StaleSignInError):
        social.open_session(begun, HERE, utcnow())
    sessions.check(kept.access_token)
    assert sessions.refresh(kept.refresh_token, HERE)
    assert alive(who.session_id)
    assert social.redeem_code(kept_code, VERIFIER, HERE)


def test_a_code_made_after_the_disconnect_opens_nothing() -> None:
    local()
    who = by_password()
    visit = connect(who, SARI)
    social.disconnect(who, visit.identity_id, None)
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code_for(visit), VERIFIER, HERE)
    # Connected again it is another row: the former visit opens nothing of it.
    connect(who, SARI)
    with pytest.raises(StaleSignInError):
        social.open_session(visit, HERE, None)


def test_the_last_login_method_stays(caplog) -> None:
    who = asking(by_provider(SARI))
    (google,) = own(who.user_id)
    with pytest.raises(LastWayInError):
        social.disconnect(who, google.id, None)
    connect(who, person())
    confirmed = asking(by_provider(person()))
    social.disconnect(confirmed, google.id, None)
    (facebook,) = own(who.user_id)
    with pytest.raises(LastWayInError):
        social.disconnect(confirmed, facebook.id, None)
    assert ("social_disconnect", "refused") in audit(caplog)


def test_an_identity_of_a_provider_no_longer_offered_is_no_login_method(make_app) -> None:
    who = asking(by_provider(SARI))
    connect(who, person())
    google, _facebook = own(who.user_id)
    with make_app(**GOOGLE).app_context(), pytest.raises(LastWayInError):
        social.disconnect(who, google.id, None)


def test_two_identities_do_not_leave_at_once(app: Flask) -> None:
    who = asking(by_provider(SARI))
    connect(who, person())
    other = asking(by_provider(person()))
    facebook_id = next(i.id for i in own(who.user_id) if i.provider == "facebook")
    google_id = next(i.id for i in own(who.user_id) if i.provider == "google")
    together = threading.Barrier(2)

    def go(pair: tuple[Asking, int]) -> bool:
        with app.app_context():
            together.wait()
            try:
                social.disconnect(*pair, None)
            except LastWayInError:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        both = [(who, google_id), (other, facebook_id)]
        assert sorted(pool.map(go, both)) == [False, True]
    assert len(own(who.user_id)) == 1


def test_a_deleted_account_takes_its_identities_along(database_url: str) -> None:
    visit = social.visit(SARI)
    code_for(visit)
    registration.delete(visit.user_id)
    for table in ("identity", "one_time"):
        assert select(database_url, f"SELECT count(*) FROM {table}") == [(0,)]
    assert social.visit(SARI).created


def test_a_missing_account_is_not_an_identity_that_is_taken() -> None:
    db.session.add(
        Identity(
            user_id=999_999, provider="google", issuer=SARI.issuer, subject="1", created_at=utcnow()
        )
    )
    with pytest.raises(IntegrityError):
        commit_unique()
    db.session.rollback()


# --- disabled accounts, proofs and first passwords -----------------------------------------------


def test_a_disabled_account_opens_to_no_identity(caplog, database_url: str) -> None:
    begun = social.visit(SARI)
    registration.set_disabled(begun.user_id, disabled=True)
    with pytest.raises(DisabledError):
        social.visit(SARI)
    with pytest.raises(DisabledError):
        social.visit(SARI_ELSEWHERE)  # nor is it joined
    with pytest.raises(DisabledError):
        social.open_session(begun, HERE, utcnow())
    assert ("social_login", "refused") in audit(caplog)
    registration.set_disabled(begun.user_id, disabled=False)
    assert len(own(begun.user_id)) == 1
    with pytest.raises(StaleSignInError):  # a login begun before the disable ends with it
        social.open_session(begun, HERE, utcnow())
    assert select(database_url, "SELECT count(*) FROM session") == [(0,)]


def test_the_first_password_needs_a_recent_proof() -> None:
    remembered = asking(by_provider(SARI, proven=False))
    with pytest.raises(ReauthenticationRequiredError):
        registration.set_first_password(remembered, PASSWORD)
    social.reauthenticate(remembered, SARI, utcnow() - timedelta(minutes=11))
    with pytest.raises(ReauthenticationRequiredError):
        registration.set_first_password(remembered, PASSWORD)
    social.reauthenticate(remembered, SARI, utcnow())
    registration.set_first_password(remembered, PASSWORD)
    assert by_password("sari@example.com").user_id == remembered.user_id
    with pytest.raises(PasswordSetError):
        registration.set_first_password(remembered, "another one")


def test_a_proof_counts_in_its_session_and_for_its_account_alone() -> None:
    first, second = (asking(by_provider(SARI, proven=False)) for _ in range(2))
    social.reauthenticate(first, SARI, utcnow())
    assert confirmation.is_recent(first.session_id)
    assert not confirmation.is_recent(second.session_id)
    social.visit(person())
    for stranger in (person(), person(subject="never seen"), replace(SARI, subject="2002")):
        with pytest.raises(StaleSignInError):
            social.reauthenticate(second, stranger, utcnow())
    with pytest.raises(ReauthenticationRequiredError):
        social.reauthenticate(second, SARI, None)  # the provider did not ask the person
    assert not confirmation.is_recent(second.session_id)
    sessions.log_out(second.session_id)
    with pytest.raises(TokenRevokedError):
        social.reauthenticate(second, SARI, utcnow())


@pytest.mark.parametrize(
    ("seconds_before", "counts"), [(5 * 3600, False), (61, False), (60, True), (0, True)]
)
@pytest.mark.parametrize("begun_in_session", [True, False])
def test_the_providers_time_decides_what_is_proven(
    seconds_before: int, counts: bool, begun_in_session: bool
) -> None:
    assert counts == confirmation.is_proven_by_provider(
        1_000_000.5 - seconds_before, 1_000_000.5, begun_in_session=begun_in_session
    )


def test_without_a_time_only_a_login_that_a_session_began_is_a_proof() -> None:
    assert confirmation.is_proven_by_provider(None, 1_000_000, begun_in_session=True)
    assert not confirmation.is_proven_by_provider(None, 1_000_000, begun_in_session=False)


# --- races ---------------------------------------------------------------------------------------


def disable(who: Asking, _identity_id: int) -> None:
    registration.set_disabled(who.user_id, disabled=True)


def delete(who: Asking, _identity_id: int) -> None:
    registration.delete(who.user_id)


def disconnect(who: Asking, identity_id: int) -> None:
    social.disconnect(who, identity_id, PASSWORD)


@pytest.mark.parametrize("end", [disable, delete, disconnect])
def test_a_provider_login_racing_the_end_of_its_account_leaves_no_session(
    app: Flask, database_url: str, end: Callable[[Asking, int], None]
) -> None:
    for n in ROUNDS:
        identity = person("google", f"racer-{n}")
        local(f"racer{n}", f"racer{n}@example.com")
        who = by_password(f"racer{n}")
        visit = connect(who, identity)
        code = code_for(visit)
        together = threading.Barrier(4)

        def log_in(identity: ExternalIdentity = identity) -> None:
            by_provider(identity)

        def open_late(visit: social.Visit = visit) -> None:
            social.open_session(visit, HERE, utcnow())

        def redeem(code: str = code) -> None:
            social.redeem_code(code, VERIFIER, HERE)

        def finish(who: Asking = who, identity_id: int = visit.identity_id) -> None:
            end(who, identity_id)

        def run(work: Callable[[], None], together: threading.Barrier = together) -> None:
            with app.app_context():
                together.wait()
                try:
                    work()
                except (DisabledError, StaleSignInError, InvalidGrantError):
                    assert work is not finish

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(run, [log_in, open_late, redeem, finish]))
        living = f"user_id = {who.user_id} AND revoked_at IS NULL AND id <> {who.session_id}"
        assert select(database_url, f"SELECT id FROM session WHERE {living}") == []


def test_of_two_connects_at_once_one_account_gets_the_identity(app: Flask) -> None:
    for name in ("one", "two"):
        local(name, f"{name}@example.com")
    pair = [by_password("one"), by_password("two")]
    for n in ROUNDS:
        identity = person("google", f"shared-{n}")
        together = threading.Barrier(2)

        def go(
            who: Asking,
            identity: ExternalIdentity = identity,
            together: threading.Barrier = together,
        ) -> bool:
            with app.app_context():
                together.wait()
                try:
                    connect(who, identity)
                except IdentityTakenError:
                    return False
                return True

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(go, pair)) == [False, True]


def test_joins_and_password_changes_at_once_leave_one_order(app: Flask, database_url: str) -> None:
    """A connect either comes before the password change or is refused."""
    local()
    who, now, other = by_password(), PASSWORD, "battery staple"
    for n in ROUNDS:
        identity = person("google", f"late-{n}")
        confirmed = confirmation.confirm(who, now, recent_suffices=True)
        together = threading.Barrier(2)
        order: list[int] = []

        def change(
            now: str = now, other: str = other, together: threading.Barrier = together
        ) -> None:
            with app.app_context():
                together.wait()
                registration.change_password(who, now, other)

        def attach(
            identity: ExternalIdentity = identity,
            seen: int = confirmed.epoch,
            together: threading.Barrier = together,
            order: list[int] = order,
        ) -> None:
            with app.app_context():
                together.wait()
                try:
                    order.append(social.connect(who, seen, identity).epoch)
                except StaleSignInError:
                    order.append(-1)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda work: work(), [change, attach]))
        found = select(database_url, f"SELECT count(*) FROM identity WHERE subject = 'late-{n}'")
        assert found == [(int(order[0] >= 0),)]
        now, other = other, now
    assert epoch(database_url, who.user_id) == len(ROUNDS)


# --- one-time codes ------------------------------------------------------------------------------


def test_a_code_is_good_once_and_nothing_replayable_is_stored(database_url: str) -> None:
    visit = social.visit(SARI)
    code = code_for(visit)
    stored = select(database_url, "SELECT * FROM one_time")
    assert code not in str(stored)
    assert VERIFIER not in str(stored)
    grant = social.redeem_code(code, VERIFIER, HERE)
    assert sessions.check(grant.access_token).user_id == visit.user_id
    assert sessions.refresh(grant.refresh_token, HERE)
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)


def test_a_code_needs_its_verifier_and_is_used_up_by_another() -> None:
    visit = social.visit(SARI)
    code = code_for(visit)
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, "w" * 43, HERE)
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)


def test_a_code_ends_after_a_minute(database_url: str) -> None:
    visit = social.visit(SARI)
    code = code_for(visit)
    execute(database_url, "UPDATE one_time SET expires_at = '2026-01-01'")
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)
    code_for(visit)
    execute(database_url, "UPDATE one_time SET expires_at = '2026-01-01'")
    housekeeping.purge()
    assert select(database_url, "SELECT count(*) FROM one_time") == [(0,)]


def test_a_code_exchanged_many_times_at_once_opens_one_session(app: Flask) -> None:
    visit = social.visit(SARI)
    code = code_for(visit)
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


def change_password(visit: social.Visit) -> None:
    registration.set_password(visit.user_id, "battery staple")


def disable_and_enable(visit: social.Visit) -> None:
    registration.set_disabled(visit.user_id, disabled=True)
    registration.set_disabled(visit.user_id, disabled=False)


def shut_out(visit: social.Visit) -> None:
    registration.set_disabled(visit.user_id, disabled=True)


def set_first_password(_: social.Visit) -> None:
    registration.set_first_password(asking(by_provider(SARI)), PASSWORD)


def give_an_email(_: social.Visit) -> None:
    registration.set_first_password(asking(by_provider(SARI)), PASSWORD)
    who = by_password("sari.wulandari")
    registration.change_profile(who, PASSWORD, email="new@example.com")


def remove(visit: social.Visit) -> None:
    registration.delete(visit.user_id)


@pytest.mark.parametrize(
    "change",
    [change_password, disable_and_enable, shut_out, set_first_password, give_an_email, remove],
)
def test_a_code_ends_with_any_change_of_its_account(
    change: Callable[[social.Visit], None], database_url: str
) -> None:
    visit = social.visit(SARI)
    code = code_for(visit)
    change(visit)
    before = select(database_url, "SELECT count(*) FROM session")
    with pytest.raises(InvalidGrantError):
        social.redeem_code(code, VERIFIER, HERE)
    assert select(database_url, "SELECT count(*) FROM session") == before
