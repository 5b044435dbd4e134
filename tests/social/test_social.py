"""External identities: which account each logs in to, and what it may not do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError

from app.accounts import (
    deletion,
    disabling,
    login,
    lookup,
    password_change,
    profile_change,
    registration,
)
from app.config import DEMO_ISSUER
from app.core.errors import (
    EmailTakenError,
    IdentityTakenError,
    InvalidCredentialsError,
    InvalidGrantError,
    NotFoundError,
    PasswordSetError,
    ReauthenticationRequiredError,
    TokenRevokedError,
    UsernameTakenError,
    WrongPasswordError,
)
from app.core.unique import commit_unique
from app.extensions import db
from app.models import Identity, OneTime, Session, utcnow
from app.proof import confirmation
from app.sessions import checking, ending, listing, refreshing
from app.sessions.opening import Grant
from app.sessions.origin import Actor, Origin
from app.social import codes, first_login, identities, linking, sign_in
from app.social.errors import ConnectNeededError, DisabledError, LastWayInError, StaleSignInError
from app.social.identities import ExternalIdentity, label_of
from app.system import housekeeping
from tests.support.databases import execute, select
from tests.support.mails import delivered

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


def person(provider: str = "facebook", subject: str = "1", **changes: Any) -> ExternalIdentity:
    facts: dict[str, Any] = {"issuer": ISSUERS[provider], "email": None, "email_proven": False}
    return ExternalIdentity(provider=provider, subject=subject, **(facts | changes))


SARI = person("google", "1001", email="sari@example.com", email_proven=True, name="Sari Wulandari")
SARI_ELSEWHERE = person("oidc", "s-1", email="Sari@example.com", email_proven=True, name="Sari")


def local(username: str = "sari", email: str = "sari@example.com") -> int:
    return registration.register(username, email, PASSWORD).id


def by_password(name: str = "sari", password: str = PASSWORD) -> Actor:
    """A new session that a password opened."""
    return actor(login.log_in(name, password, HERE))


def by_provider(identity: ExternalIdentity, *, proven: bool = True) -> Grant:
    """A new session that an identity opened; `proven`: the provider asked the person just now."""
    return sign_in.open_session(
        sign_in.sign_in(identity, HERE.client), HERE, utcnow() if proven else None
    )


def actor(grant: Grant) -> Actor:
    return Actor(grant.user_id, grant.session_id, HERE.client)


def connect(who: Actor, identity: ExternalIdentity) -> identities.SignIn:
    """Connect within the time in which the session's last proof counts."""
    confirmed = confirmation.confirm(who, None, recent_suffices=True)
    return linking.connect(who, confirmed.epoch, identity)


def code_for(visit: identities.SignIn) -> str:
    return codes.issue_code(visit, codes.s256(VERIFIER))


def own(user_id: int) -> list[linking.IdentityInfo]:
    """The identities of an account; the transaction does not stay open for others to wait."""
    found = linking.identities(user_id)
    db.session.rollback()
    return found


def epoch(database_url: str, user_id: int) -> int:
    ((number,),) = select(database_url, f"SELECT auth_epoch FROM user WHERE id = {user_id}")
    found: int = number
    return found


def alive(session_id: int) -> bool:
    found = db.session.get(Session, session_id, populate_existing=True)
    db.session.rollback()
    assert found is not None
    return found.revoked_at is None


def audit(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    records = [r for r in caplog.records if r.name == "loguserapp.audit"]
    return [(r.getMessage(), vars(r)["facts"]["outcome"]) for r in records]


# --- sign-ins ------------------------------------------------------------------------------------


def test_a_first_visit_makes_an_account_and_a_second_finds_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    first = sign_in.sign_in(SARI, HERE.client)
    assert first.created
    profile = lookup.profile(first.user_id)
    assert (profile.username, profile.email) == ("sari.wulandari", "sari@example.com")
    assert not lookup.has_password(first.user_id)
    assert sign_in.sign_in(SARI, HERE.client) == replace(first, created=False)
    assert audit(caplog) == [
        ("account.registered", "success"),
        ("identity.authenticated", "success"),
    ]
    assert "sari@" not in caplog.text
    assert "1001" not in caplog.text


def test_the_key_is_the_subject_and_never_the_email() -> None:
    first = sign_in.sign_in(SARI, HERE.client)
    moved = replace(SARI, email="new@example.com")
    assert sign_in.sign_in(moved, HERE.client).user_id == first.user_id
    assert lookup.profile(first.user_id).email == "sari@example.com"
    (identity,) = own(first.user_id)
    assert identity.email == "new@example.com"
    # The same number at another provider is another person.
    assert sign_in.sign_in(person(subject="1001"), HERE.client).user_id != first.user_id


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
def test_the_username_is_made_of_the_name(
    name: str | None, email: str | None, username: str
) -> None:
    visit = sign_in.sign_in(person(name=name, email=email), HERE.client)
    assert lookup.profile(visit.user_id).username == username


def test_a_username_that_is_taken_gets_a_number() -> None:
    names = [
        lookup.profile(
            sign_in.sign_in(person(subject=str(n), name="Budi"), HERE.client).user_id
        ).username
        for n in range(7)
    ]
    assert names[:5] == ["budi", "budi2", "budi3", "budi4", "budi5"]
    assert len(set(names)) == 7


def test_parallel_first_visits_make_one_account(app: Flask, database_url: str) -> None:
    together = threading.Barrier(6)

    def go(_: int) -> int:
        with app.app_context():
            together.wait()
            return sign_in.sign_in(SARI, HERE.client).user_id

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(go, range(6)))) == 1
    assert select(database_url, "SELECT count(*) FROM user") == [(1,)]


def test_first_visits_of_many_people_at_once_all_succeed(app: Flask) -> None:
    together = threading.Barrier(8)

    def go(n: int) -> int:
        with app.app_context():
            together.wait()
            return sign_in.sign_in(
                person(subject=str(n), email=f"p{n}@example.com"), HERE.client
            ).user_id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(go, range(8)))) == 8


def test_an_equal_subject_of_another_issuer_is_another_person(
    make_app: Callable[..., Flask],
) -> None:
    employee = by_provider(person("oidc", "7", email="siti@example.com"))
    moved = make_app(**EVERYTHING | {"oidc_issuer": "https://new.example.com"})
    with moved.app_context():
        stranger = person("oidc", "7", issuer="https://new.example.com", name="Siti")
        visit = sign_in.sign_in(stranger, HERE.client)
        assert visit.created
        assert visit.user_id != employee.user_id
        (former,) = own(employee.user_id)
        assert (former.provider, former.usable) == ("oidc", False)
        # It is shown, and does not count as a login method.
        connect(actor(employee), SARI)
        google = next(i for i in own(employee.user_id) if i.provider == "google")
        with pytest.raises(LastWayInError):
            linking.disconnect(actor(employee), google.id, None)
        linking.disconnect(actor(employee), former.id, None)
        assert [i.provider for i in own(employee.user_id)] == ["google"]


def test_a_demo_identity_is_no_login_method_once_the_demo_is_off(
    make_app: Callable[..., Flask],
) -> None:
    with make_app(**EVERYTHING, social_demo=True).app_context():
        demo = by_provider(person("oidc", "demo-sari", issuer=DEMO_ISSUER))
        assert [i.usable for i in own(demo.user_id)] == [True]
    assert [i.usable for i in own(demo.user_id)] == [False]
    # The provider that is configured now may have a person of that subject.
    assert sign_in.sign_in(person("oidc", "demo-sari"), HERE.client).user_id != demo.user_id


# --- joining -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "identity",
    [SARI, person(email="sari@example.com"), person("oidc", email="SARI@example.com")],
)
def test_the_email_of_a_password_account_joins_nothing(
    identity: ExternalIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    user_id = local()
    with pytest.raises(ConnectNeededError):
        sign_in.sign_in(identity, HERE.client)
    assert own(user_id) == []
    assert ("identity.refused", "refused") in audit(caplog)


def test_an_unproven_email_does_not_join_a_proven_one() -> None:
    sign_in.sign_in(SARI, HERE.client)
    with pytest.raises(ConnectNeededError):
        sign_in.sign_in(person(email="sari@example.com"), HERE.client)


def test_an_email_proven_on_both_sides_joins(database_url: str) -> None:
    first = sign_in.sign_in(SARI, HERE.client)
    joined = sign_in.sign_in(SARI_ELSEWHERE, HERE.client)
    assert (joined.user_id, joined.created) == (first.user_id, False)
    assert [i.provider for i in own(first.user_id)] == ["google", "oidc"]
    assert joined.epoch == epoch(database_url, first.user_id) == first.epoch + 1


def test_a_second_subject_of_an_issuer_is_a_second_person(database_url: str) -> None:
    owner = by_provider(SARI)
    second = replace(SARI, subject="2002")
    with pytest.raises(ConnectNeededError):
        sign_in.sign_in(second, HERE.client)
    with pytest.raises(ConnectNeededError):
        sign_in.take_email(second, owner.user_id)  # the holder has proven the e-mail
    assert epoch(database_url, owner.user_id) == 0
    assert checking.check_access_token(owner.access_token)
    assert len(own(owner.user_id)) == 1


def test_a_join_ends_the_logins_and_codes_in_progress() -> None:
    begun = sign_in.sign_in(SARI, HERE.client)
    code = code_for(begun)
    sign_in.sign_in(SARI_ELSEWHERE, HERE.client)
    with pytest.raises(StaleSignInError):
        sign_in.open_session(begun, HERE, utcnow())
    with pytest.raises(InvalidGrantError):
        codes.redeem_code(code, VERIFIER, HERE)


def test_a_join_keeps_what_the_proven_owner_set() -> None:
    first = by_provider(SARI)
    password_change.set_first_password(actor(first), PASSWORD)
    assert not sign_in.sign_in(SARI_ELSEWHERE, HERE.client).password_removed
    assert login.log_in("sari.wulandari", PASSWORD, HERE)
    checking.check_access_token(first.access_token)


def test_a_join_removes_what_an_unproven_owner_had_set(database_url: str) -> None:
    user_id = local()
    before = login.log_in("sari", PASSWORD, HERE)
    code = code_for(connect(actor(before), person(subject="waiting")))
    # The day on which somebody proves the e-mail, who may be another than who registered it.
    execute(
        database_url,
        "UPDATE user SET created_at = '2026-01-01', email_verified_at = '2026-02-01'",
        "UPDATE identity SET created_at = '2026-01-02'",
    )
    joined = sign_in.sign_in(SARI, HERE.client)
    assert (joined.user_id, joined.created, joined.password_removed) == (user_id, False, True)
    with pytest.raises(InvalidCredentialsError):
        login.log_in("sari", PASSWORD, HERE)
    with pytest.raises(TokenRevokedError):
        checking.check_access_token(before.access_token)
    with pytest.raises(TokenRevokedError):
        refreshing.refresh(before.refresh_token, HERE)
    with pytest.raises(InvalidGrantError):
        codes.redeem_code(code, VERIFIER, HERE)
    assert [i.provider for i in own(user_id)] == ["google"]


def test_another_email_is_not_proven_any_more() -> None:
    first = by_provider(SARI)
    password_change.set_first_password(actor(first), PASSWORD)
    profile_change.change_profile(actor(first), PASSWORD, email="SARI@example.com")
    assert sign_in.sign_in(SARI_ELSEWHERE, HERE.client).user_id == first.user_id
    profile_change.change_profile(actor(first), PASSWORD, email="victim@example.com")
    with pytest.raises(ConnectNeededError):
        sign_in.sign_in(
            person("oidc", "9", email="victim@example.com", email_proven=True), HERE.client
        )


# --- an unproven holder of an e-mail -------------------------------------------------------------


def test_the_proven_owner_takes_the_email_from_an_unproven_holder(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    holder_id = local("squatter")
    holder = by_password("squatter")
    assert sign_in.email_holder(SARI) == identities.EmailHolder(holder_id, can_decline=True)
    taken = sign_in.take_email(SARI, holder_id)
    assert taken.created
    assert taken.user_id != holder_id
    assert lookup.profile(taken.user_id).email == "sari@example.com"
    assert lookup.profile(holder_id).email is None
    assert epoch(database_url, holder_id) == 1
    assert ("email.transferred", "success") in audit(caplog)
    # The holder keeps the rest: it may be the same person, who proved nothing yet.
    assert alive(holder.session_id)
    assert by_password("squatter").user_id == holder_id
    with pytest.raises(InvalidCredentialsError):
        by_password("sari@example.com")


def test_a_proven_holder_is_not_robbed() -> None:
    owner = sign_in.sign_in(SARI, HERE.client)
    for other in (SARI_ELSEWHERE, replace(SARI, subject="2002")):
        assert sign_in.email_holder(other) == identities.EmailHolder(
            owner.user_id, can_decline=False
        )
        with pytest.raises(ConnectNeededError):
            sign_in.take_email(other, owner.user_id)
    assert lookup.profile(owner.user_id).email == "sari@example.com"


@pytest.mark.parametrize("provider", ["google", "facebook", "oidc"])
def test_a_provider_that_is_not_authoritative_takes_no_email(provider: str) -> None:
    holder_id = local()
    claimed = person(provider, "5", email="sari@example.com")
    assert sign_in.email_holder(claimed) == identities.EmailHolder(holder_id, can_decline=False)
    with pytest.raises(ConnectNeededError):
        sign_in.take_email(claimed, holder_id)
    assert lookup.profile(holder_id).email == "sari@example.com"


def test_an_identity_that_has_an_account_takes_no_email() -> None:
    holder_id = local()
    connect(by_password(), SARI)
    with pytest.raises(IdentityTakenError):
        sign_in.take_email(SARI, holder_id)
    assert lookup.profile(holder_id).email == "sari@example.com"


def test_nobody_is_named_where_nobody_has_the_email() -> None:
    assert sign_in.email_holder(SARI) is None
    assert sign_in.email_holder(person()) is None
    with pytest.raises(ConnectNeededError):
        sign_in.take_email(SARI, 1)


def test_an_email_is_taken_from_the_declined_account_alone() -> None:
    declined = local("squatter")
    profile_change.change_profile(by_password("squatter"), PASSWORD, email="other@example.com")
    db.session.execute(sql_delete(OneTime))  # the former address gives up taking it back
    db.session.commit()
    holder_id = local("another")
    with pytest.raises(ConnectNeededError):
        sign_in.take_email(SARI, declined)
    assert lookup.profile(holder_id).email == "sari@example.com"


# --- first logins --------------------------------------------------------------------------------


def test_two_people_without_an_email_are_two_accounts() -> None:
    one, other = (
        sign_in.sign_in(person(name="Ayu"), HERE.client),
        sign_in.sign_in(person(subject="2", name="Ayu"), HERE.client),
    )
    assert one.user_id != other.user_id
    assert lookup.profile(one.user_id).email is None


def test_the_email_given_later_is_not_proven() -> None:
    grant = by_provider(person(name="Ayu"))
    profile = first_login.complete_first_login(actor(grant), "ayu", "sari@example.com")
    assert (profile.username, profile.email) == ("ayu", "sari@example.com")
    with pytest.raises(ConnectNeededError):
        sign_in.sign_in(SARI, HERE.client)


def test_a_first_visit_respects_what_others_have() -> None:
    local()
    who = actor(by_provider(person(name="Ayu")))
    with pytest.raises(UsernameTakenError):
        first_login.complete_first_login(who, "SARI")
    with pytest.raises(EmailTakenError):
        first_login.complete_first_login(who, "ayu", "Sari@example.com")
    # An e-mail that the provider gave is not replaced here.
    given = actor(by_provider(person("oidc", "2", email="b@example.com")))
    with pytest.raises(NotFoundError):
        first_login.complete_first_login(given, "budi", "c@example.com")
    assert first_login.complete_first_login(given, "budi").email == "b@example.com"


def test_a_first_visit_is_completed_once_and_within_the_hour(database_url: str) -> None:
    who = actor(by_provider(SARI))
    assert first_login.is_first_login(who.user_id)
    first_login.complete_first_login(who, "sari")
    assert not first_login.is_first_login(who.user_id)
    with pytest.raises(NotFoundError):
        first_login.complete_first_login(who, "another")
    late = actor(by_provider(person()))
    execute(database_url, "UPDATE user SET first_visit_until = '2026-01-01'")
    assert not first_login.is_first_login(late.user_id)
    with pytest.raises(NotFoundError):
        first_login.complete_first_login(late, "another")
    assert not first_login.is_first_login(local("other", "other@example.com"))


def test_a_first_visit_ends_with_its_session() -> None:
    who = actor(by_provider(SARI))
    ending.log_out(who.session_id)
    with pytest.raises(NotFoundError):
        first_login.complete_first_login(who, "another")
    assert lookup.profile(who.user_id).username == "sari.wulandari"


def test_a_first_visit_completed_many_times_at_once_counts_once(app: Flask) -> None:
    who = actor(by_provider(SARI))
    together = threading.Barrier(6)

    def go(n: int) -> bool:
        with app.app_context():
            together.wait()
            try:
                first_login.complete_first_login(who, f"sari{n}")
            except NotFoundError:
                return False
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(go, range(6))) == 1


# --- connecting and disconnecting ----------------------------------------------------------------


def test_connecting_and_disconnecting(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    user_id = local()
    who = by_password()
    first = connect(who, SARI)
    assert connect(who, SARI) == first  # again changes nothing
    (identity,) = own(user_id)
    assert (identity.provider, identity.email) == ("google", "sari@example.com")
    assert sign_in.sign_in(SARI, HERE.client) == first
    linking.disconnect(who, identity.id, None)
    assert own(user_id) == []
    with pytest.raises(ConnectNeededError):
        sign_in.sign_in(SARI, HERE.client)
    done = {("identity.connected", "success"), ("identity.disconnected", "success")}
    assert done <= {*audit(caplog)}


def test_an_identity_logs_in_to_one_account_alone() -> None:
    sign_in.sign_in(SARI, HERE.client)
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
        linking.disconnect(who, visit.identity_id, None)
    with pytest.raises(WrongPasswordError):
        linking.disconnect(who, visit.identity_id, "wrong password")
    assert len(own(who.user_id)) == 1
    linking.disconnect(who, visit.identity_id, PASSWORD)
    connect(who, person())  # the password counts for ten minutes in this session
    with pytest.raises(ReauthenticationRequiredError):
        connect(actor(by_provider(person(), proven=False)), SARI)  # and in no other


def test_a_password_that_is_sent_is_checked_however_recent_the_proof() -> None:
    local()
    who = by_password()
    visit = connect(who, SARI)
    with pytest.raises(WrongPasswordError):
        linking.disconnect(who, visit.identity_id, "wrong password")
    assert len(own(who.user_id)) == 1


def test_a_connect_in_progress_does_not_survive_a_password_change() -> None:
    user_id = local()
    who = by_password()
    confirmed = confirmation.confirm(who, PASSWORD, recent_suffices=True)
    password_change.change_password(who, PASSWORD, "battery staple")  # at the provider meanwhile
    with pytest.raises(StaleSignInError):
        linking.connect(who, confirmed.epoch, SARI)
    assert own(user_id) == []


def test_a_connect_in_progress_does_not_survive_its_session() -> None:
    user_id = local()
    who, other = by_password(), by_password()
    confirmed = confirmation.confirm(who, PASSWORD, recent_suffices=True)
    ending.log_out(who.session_id)
    with pytest.raises(StaleSignInError):
        linking.connect(who, confirmed.epoch, SARI)
    # Nor is another account's session of any use.
    local("other", "other@example.com")
    stranger = by_password("other")
    with pytest.raises(StaleSignInError):
        linking.connect(replace(other, session_id=stranger.session_id), confirmed.epoch, SARI)
    assert own(user_id) == []


def test_a_disconnect_of_a_session_that_ended_is_refused() -> None:
    local()
    who = by_password()
    visit = connect(who, SARI)
    ending.log_out(who.session_id)
    with pytest.raises(TokenRevokedError):
        linking.disconnect(who, visit.identity_id, PASSWORD)
    assert len(own(who.user_id)) == 1


def test_nobody_disconnects_another_persons_identity() -> None:
    visit = sign_in.sign_in(SARI, HERE.client)
    (identity,) = own(visit.user_id)
    local("other", "other@example.com")
    with pytest.raises(NotFoundError):
        linking.disconnect(by_password("other"), identity.id, None)
    assert own(visit.user_id) == [identity]


def test_the_owner_is_told_of_a_connection_and_of_its_end(app: Flask) -> None:
    local()
    who = by_password()
    connect(who, SARI)
    linking.disconnect(who, sign_in.sign_in(SARI, HERE.client).identity_id, None)
    connected, disconnected = delivered(app, page="/undo")
    assert (connected.to, disconnected.to) == ("sari@example.com", "sari@example.com")
    assert connected.subject != disconnected.subject
    for mail in (connected, disconnected):
        assert label_of(SARI.provider) in mail.subject


def test_the_owner_is_told_of_a_join(app: Flask, database_url: str) -> None:
    local()
    execute(database_url, "UPDATE user SET email_verified_at = created_at")
    sign_in.sign_in(SARI, HERE.client)
    (mail,) = delivered(app, page="/undo")
    assert mail.to == "sari@example.com"


def test_the_proven_owner_gets_an_email_that_its_holder_reserved(app: Flask) -> None:
    holder_id = local()
    for email in ("other@example.com", "sari@example.com"):
        profile_change.change_profile(by_password(), PASSWORD, email=email)
    taken = sign_in.take_email(SARI, holder_id)
    assert lookup.profile(taken.user_id).email == "sari@example.com"


def test_an_email_that_can_be_taken_back_is_no_new_accounts(app: Flask) -> None:
    local()
    profile_change.change_profile(by_password(), PASSWORD, email="other@example.com")
    visit = sign_in.sign_in(SARI, HERE.client)
    assert visit.created
    assert lookup.profile(visit.user_id).email is None


def test_a_disconnect_ends_what_the_identity_opened_and_nothing_else() -> None:
    local()
    who = by_password()
    connect(who, SARI)
    connect(who, person())
    opened, kept = by_provider(SARI), by_provider(person())
    redeemed = codes.redeem_code(code_for(sign_in.sign_in(SARI, HERE.client)), VERIFIER, HERE)
    code, kept_code = (
        code_for(sign_in.sign_in(SARI, HERE.client)),
        code_for(sign_in.sign_in(person(), HERE.client)),
    )
    begun = sign_in.sign_in(SARI, HERE.client)
    linking.disconnect(who, begun.identity_id, None)
    for ended in (opened, redeemed):
        with pytest.raises(TokenRevokedError):
            checking.check_access_token(ended.access_token)  # without a synchronisation
        with pytest.raises(TokenRevokedError):
            refreshing.refresh(ended.refresh_token, HERE)
    with pytest.raises(InvalidGrantError):
        codes.redeem_code(code, VERIFIER, HERE)
    with pytest.raises(StaleSignInError):
        sign_in.open_session(begun, HERE, utcnow())
    checking.check_access_token(kept.access_token)
    assert refreshing.refresh(kept.refresh_token, HERE)
    assert alive(who.session_id)
    assert codes.redeem_code(kept_code, VERIFIER, HERE)


def test_a_code_made_after_the_disconnect_opens_nothing() -> None:
    local()
    who = by_password()
    visit = connect(who, SARI)
    linking.disconnect(who, visit.identity_id, None)
    with pytest.raises(InvalidGrantError):
        codes.redeem_code(code_for(visit), VERIFIER, HERE)
    # Connected again it is another row: the former visit opens nothing of it.
    connect(who, SARI)
    with pytest.raises(StaleSignInError):
        sign_in.open_session(visit, HERE, None)


def test_the_last_login_method_stays(caplog: pytest.LogCaptureFixture) -> None:
    who = actor(by_provider(SARI))
    (google,) = own(who.user_id)
    with pytest.raises(LastWayInError):
        linking.disconnect(who, google.id, None)
    connect(who, person())
    confirmed = actor(by_provider(person()))
    linking.disconnect(confirmed, google.id, None)
    (facebook,) = own(who.user_id)
    with pytest.raises(LastWayInError):
        linking.disconnect(confirmed, facebook.id, None)
    assert ("identity.refused", "refused") in audit(caplog)


def test_an_identity_of_a_provider_no_longer_offered_is_no_login_method(
    make_app: Callable[..., Flask],
) -> None:
    who = actor(by_provider(SARI))
    connect(who, person())
    google, _facebook = own(who.user_id)
    with make_app(**GOOGLE).app_context(), pytest.raises(LastWayInError):
        linking.disconnect(who, google.id, None)


def test_two_identities_do_not_leave_at_once(app: Flask) -> None:
    who = actor(by_provider(SARI))
    connect(who, person())
    other = actor(by_provider(person()))
    facebook_id = next(i.id for i in own(who.user_id) if i.provider == "facebook")
    google_id = next(i.id for i in own(who.user_id) if i.provider == "google")
    together = threading.Barrier(2)

    def go(pair: tuple[Actor, int]) -> bool:
        with app.app_context():
            together.wait()
            try:
                linking.disconnect(*pair, None)
            except LastWayInError:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        both = [(who, google_id), (other, facebook_id)]
        assert sorted(pool.map(go, both)) == [False, True]
    assert len(own(who.user_id)) == 1


def test_a_deleted_account_takes_its_identities_along(database_url: str) -> None:
    visit = sign_in.sign_in(SARI, HERE.client)
    code_for(visit)
    deletion.delete(visit.user_id)
    for table in ("identity", "one_time"):
        assert select(database_url, f"SELECT count(*) FROM {table}") == [(0,)]
    assert sign_in.sign_in(SARI, HERE.client).created


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


def test_a_disabled_account_opens_to_no_identity(
    caplog: pytest.LogCaptureFixture, database_url: str
) -> None:
    begun = sign_in.sign_in(SARI, HERE.client)
    disabling.set_disabled(begun.user_id, disabled=True)
    with pytest.raises(DisabledError):
        sign_in.sign_in(SARI, HERE.client)
    with pytest.raises(DisabledError):
        sign_in.sign_in(SARI_ELSEWHERE, HERE.client)  # nor is it joined
    with pytest.raises(DisabledError):
        sign_in.open_session(begun, HERE, utcnow())
    assert ("login.refused", "refused") in audit(caplog)
    disabling.set_disabled(begun.user_id, disabled=False)
    assert len(own(begun.user_id)) == 1
    with pytest.raises(StaleSignInError):  # a login begun before the disable ends with it
        sign_in.open_session(begun, HERE, utcnow())
    assert select(database_url, "SELECT count(*) FROM session") == [(0,)]


def test_the_first_password_needs_a_recent_proof() -> None:
    remembered = actor(by_provider(SARI, proven=False))
    with pytest.raises(ReauthenticationRequiredError):
        password_change.set_first_password(remembered, PASSWORD)
    linking.reauthenticate(remembered, SARI, utcnow() - timedelta(minutes=11))
    with pytest.raises(ReauthenticationRequiredError):
        password_change.set_first_password(remembered, PASSWORD)
    linking.reauthenticate(remembered, SARI, utcnow())
    password_change.set_first_password(remembered, PASSWORD)
    assert by_password("sari@example.com").user_id == remembered.user_id
    with pytest.raises(PasswordSetError):
        password_change.set_first_password(remembered, "another one")


def test_a_proof_counts_in_its_session_and_for_its_account_alone() -> None:
    first, second = (actor(by_provider(SARI, proven=False)) for _ in range(2))
    linking.reauthenticate(first, SARI, utcnow())
    assert confirmation.is_recent(first.session_id)
    assert not confirmation.is_recent(second.session_id)
    sign_in.sign_in(person(), HERE.client)
    for stranger in (person(), person(subject="never seen"), replace(SARI, subject="2002")):
        with pytest.raises(StaleSignInError):
            linking.reauthenticate(second, stranger, utcnow())
    with pytest.raises(ReauthenticationRequiredError):
        linking.reauthenticate(second, SARI, None)  # the provider did not ask the person
    assert not confirmation.is_recent(second.session_id)
    ending.log_out(second.session_id)
    with pytest.raises(TokenRevokedError):
        linking.reauthenticate(second, SARI, utcnow())


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


def disable(who: Actor, _identity_id: int) -> None:
    disabling.set_disabled(who.user_id, disabled=True)


def delete(who: Actor, _identity_id: int) -> None:
    deletion.delete(who.user_id)


def disconnect(who: Actor, identity_id: int) -> None:
    linking.disconnect(who, identity_id, PASSWORD)


@pytest.mark.parametrize("end", [disable, delete, disconnect])
def test_a_provider_login_racing_the_end_of_its_account_leaves_no_session(
    app: Flask, database_url: str, end: Callable[[Actor, int], None]
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

        def open_late(visit: identities.SignIn = visit) -> None:
            sign_in.open_session(visit, HERE, utcnow())

        def redeem(code: str = code) -> None:
            codes.redeem_code(code, VERIFIER, HERE)

        def finish(who: Actor = who, identity_id: int = visit.identity_id) -> None:
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
            who: Actor,
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
                password_change.change_password(who, now, other)

        def attach(
            identity: ExternalIdentity = identity,
            seen: int = confirmed.epoch,
            together: threading.Barrier = together,
            order: list[int] = order,
        ) -> None:
            with app.app_context():
                together.wait()
                try:
                    order.append(linking.connect(who, seen, identity).epoch)
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
    visit = sign_in.sign_in(SARI, HERE.client)
    code = code_for(visit)
    stored = select(database_url, "SELECT * FROM one_time")
    assert code not in str(stored)
    assert VERIFIER not in str(stored)
    grant = codes.redeem_code(code, VERIFIER, HERE)
    assert checking.check_access_token(grant.access_token).user_id == visit.user_id
    assert refreshing.refresh(grant.refresh_token, HERE)
    with pytest.raises(InvalidGrantError):
        codes.redeem_code(code, VERIFIER, HERE)


def test_a_code_needs_its_verifier_and_is_used_up_by_another() -> None:
    visit = sign_in.sign_in(SARI, HERE.client)
    code = code_for(visit)
    with pytest.raises(InvalidGrantError):
        codes.redeem_code(code, "w" * 43, HERE)
    with pytest.raises(InvalidGrantError):
        codes.redeem_code(code, VERIFIER, HERE)


def test_a_code_ends_after_a_minute(database_url: str) -> None:
    visit = sign_in.sign_in(SARI, HERE.client)
    code = code_for(visit)
    execute(database_url, "UPDATE one_time SET expires_at = '2026-01-01'")
    with pytest.raises(InvalidGrantError):
        codes.redeem_code(code, VERIFIER, HERE)
    code_for(visit)
    execute(database_url, "UPDATE one_time SET expires_at = '2026-01-01'")
    housekeeping.purge()
    assert select(database_url, "SELECT count(*) FROM one_time") == [(0,)]


def test_a_code_exchanged_many_times_at_once_opens_one_session(app: Flask) -> None:
    visit = sign_in.sign_in(SARI, HERE.client)
    code = code_for(visit)
    together = threading.Barrier(6)

    def go(_: int) -> bool:
        with app.app_context():
            together.wait()
            try:
                codes.redeem_code(code, VERIFIER, HERE)
            except InvalidGrantError:
                return False
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(go, range(6))) == 1
    assert len(listing.list_sessions(visit.user_id)) == 1


@pytest.mark.parametrize("code", ["", "x", "é", "x" * 5000])
def test_a_code_that_was_made_up_opens_nothing(code: str) -> None:
    with pytest.raises(InvalidGrantError):
        codes.redeem_code(code, VERIFIER, HERE)


def change_password(visit: identities.SignIn) -> None:
    password_change.set_password(visit.user_id, "battery staple")


def disable_and_enable(visit: identities.SignIn) -> None:
    disabling.set_disabled(visit.user_id, disabled=True)
    disabling.set_disabled(visit.user_id, disabled=False)


def shut_out(visit: identities.SignIn) -> None:
    disabling.set_disabled(visit.user_id, disabled=True)


def set_first_password(_: identities.SignIn) -> None:
    password_change.set_first_password(actor(by_provider(SARI)), PASSWORD)


def give_an_email(_: identities.SignIn) -> None:
    password_change.set_first_password(actor(by_provider(SARI)), PASSWORD)
    who = by_password("sari.wulandari")
    profile_change.change_profile(who, PASSWORD, email="new@example.com")


def remove(visit: identities.SignIn) -> None:
    deletion.delete(visit.user_id)


@pytest.mark.parametrize(
    "change",
    [change_password, disable_and_enable, shut_out, set_first_password, give_an_email, remove],
)
def test_a_code_ends_with_any_change_of_its_account(
    change: Callable[[identities.SignIn], None], database_url: str
) -> None:
    visit = sign_in.sign_in(SARI, HERE.client)
    code = code_for(visit)
    change(visit)
    before = select(database_url, "SELECT count(*) FROM session")
    with pytest.raises(InvalidGrantError):
        codes.redeem_code(code, VERIFIER, HERE)
    assert select(database_url, "SELECT count(*) FROM session") == before
