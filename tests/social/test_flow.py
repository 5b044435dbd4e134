"""What follows once a provider has vouched for a person: a session, a code or a question."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from app.accounts import registration
from app.accounts.front_end import FrontEnd
from app.core.errors import (
    AccountError,
    InvalidCredentialsError,
    ReauthenticationRequiredError,
    RegistrationClosedError,
)
from app.models import utcnow
from app.proof import confirmation
from app.sessions import listing
from app.sessions.origin import Actor, Origin
from app.social import codes, flow, linking, pending
from app.social.errors import (
    ConnectNeededError,
    DeclinedError,
    DisabledError,
    ProviderBusyError,
    ProviderFaultError,
    ProviderTimeoutError,
    StaleSignInError,
)
from app.social.flow import CodeIssued, LoggedIn
from app.social.identities import ExternalIdentity
from app.social.intent import AccountRequest, LoginIntent
from app.social.pending import PendingIdentity
from tests.support.databases import execute

HERE = Origin("192.0.2.1", "Mozilla/5.0")
PASSWORD = "correct horse"
VERIFIER = "v" * 43
PAGE = LoginIntent("/resource")
FRONT_END = FrontEnd("https://shop.example.com/back?lang=en", codes.s256(VERIFIER), "st&te")
SARI = ExternalIdentity(
    "google", "https://accounts.google.com", "1001", "sari@example.com", True, "Sari Wulandari"
)


@pytest.fixture(autouse=True)
def app(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    app = make_app(google_client_id="id", google_client_secret="secret")
    with app.app_context():
        yield app


def sessions(user_id: int) -> list[int]:
    return [session.id for session in listing.list_sessions(user_id, 0)]


def waiting(intent: LoginIntent = PAGE) -> PendingIdentity:
    """Sari's identity, which the e-mail of a password account makes wait."""
    registration.register("sari", "sari@example.com", PASSWORD)
    result = flow.log_in(SARI, utcnow(), intent, HERE)
    assert isinstance(result, PendingIdentity)
    return result


def actor(result: LoggedIn) -> Actor:
    return Actor(result.grant.user_id, result.grant.session_id, HERE.client)


def entered(identity: ExternalIdentity = SARI, *, proven: bool = True) -> LoggedIn:
    result = flow.log_in(identity, utcnow() if proven else None, PAGE, HERE)
    assert isinstance(result, LoggedIn)
    return result


def test_a_first_login_creates_and_a_second_finds_the_account() -> None:
    first, second = entered(), entered()
    assert (first.created, second.created) == (True, False)
    assert first.grant.user_id == second.grant.user_id
    assert second.path == "/resource"


def test_a_login_that_another_account_began_proves_nothing() -> None:
    first = entered()
    result = flow.log_in(SARI, utcnow(), replace(PAGE, began_by=first.grant.user_id + 1), HERE)
    assert isinstance(result, LoggedIn)
    assert confirmation.is_recent(first.grant.session_id)
    assert not confirmation.is_recent(result.grant.session_id)


def test_a_front_end_gets_a_code_and_the_browser_no_session() -> None:
    user_id = entered().grant.user_id
    before = sessions(user_id)
    result = flow.log_in(SARI, utcnow(), LoginIntent(client=FRONT_END), HERE)
    assert isinstance(result, CodeIssued)
    assert sessions(user_id) == before
    query = parse_qs(urlsplit(result.url).query)
    assert (query["lang"], query["state"]) == (["en"], ["st&te"])
    assert codes.redeem_code(query["code"][0], VERIFIER, HERE).user_id == user_id


def test_a_password_connects_a_pending_identity() -> None:
    question = waiting()
    result = flow.connect_pending(question, "sari", PASSWORD, HERE)
    assert isinstance(result, LoggedIn)
    assert (result.grant.user_id, result.path) == (question.user_id, "/resource")
    assert entered().grant.user_id == question.user_id


def test_connecting_for_a_front_end_leaves_a_code_and_no_session() -> None:
    question = waiting(LoginIntent(client=FRONT_END))
    result = flow.connect_pending(question, "sari", PASSWORD, HERE)
    assert isinstance(result, CodeIssued)
    assert sessions(question.user_id) == []


def test_the_password_of_another_account_connects_nothing_and_leaves_no_session() -> None:
    question = waiting()
    other = registration.register("budi", "budi@example.com", PASSWORD)
    with pytest.raises(ConnectNeededError) as refused:
        flow.connect_pending(question, "budi", PASSWORD, HERE)
    assert refused.value.errors == {
        "username": ["Log in to the account that has the e-mail sari@example.com."]
    }
    assert sessions(other.id) == []
    assert linking.identities(other.id) == []


def test_a_wrong_password_connects_nothing() -> None:
    question = waiting()
    with pytest.raises(InvalidCredentialsError):
        flow.connect_pending(question, "sari", "wrong", HERE)
    assert linking.identities(question.user_id) == []


def test_declining_creates_an_account_of_its_own() -> None:
    question = waiting()
    result = flow.decline_pending(question, HERE, "id")
    assert isinstance(result, LoggedIn)
    assert result.created
    assert result.grant.user_id != question.user_id
    assert result.grant.language == "id"


def test_a_first_login_keeps_the_language_and_a_later_one_leaves_it() -> None:
    for asked in ("id", "en"):
        result = flow.log_in(SARI, utcnow(), PAGE, HERE, asked)
        assert isinstance(result, LoggedIn)
        assert result.grant.language == "id"


def test_a_logged_in_person_connects_and_confirms(database_url: str) -> None:
    registration.register("budi", "budi@example.com", PASSWORD)
    result = flow.log_in(replace(SARI, email=None), utcnow(), PAGE, HERE)
    assert isinstance(result, LoggedIn)
    here = actor(result)
    epoch = confirmation.confirm(here, None, recent_suffices=True).epoch
    second = replace(SARI, subject="1002", email=None)
    connect = AccountRequest("connect", here.user_id, here.session_id, epoch)
    flow.fulfil(connect, second, None, here)
    assert len(linking.identities(here.user_id)) == 2

    execute(database_url, "UPDATE session SET proven_at = NULL")
    confirm = replace(connect, purpose="confirm")
    with pytest.raises(ReauthenticationRequiredError):
        flow.fulfil(confirm, second, None, here)
    flow.fulfil(confirm, second, utcnow(), here)
    assert confirmation.is_recent(here.session_id)


@pytest.mark.parametrize("purpose", ["connect", "confirm"])
def test_a_request_of_another_session_is_not_fulfilled(purpose: str) -> None:
    one, other = actor(entered()), actor(entered())
    asked = AccountRequest(purpose, one.user_id, one.session_id, 0)
    with pytest.raises(StaleSignInError):
        flow.fulfil(asked, SARI, utcnow(), other)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DeclinedError(), "access_denied"),
        (DisabledError(), "access_denied"),
        (RegistrationClosedError(), "access_denied"),
        (ProviderTimeoutError(), "temporarily_unavailable"),
        (ProviderBusyError(), "temporarily_unavailable"),
        (ProviderFaultError(), "server_error"),
        (StaleSignInError(), "server_error"),
    ],
)
def test_a_front_end_is_told_the_refusal_in_the_words_of_oauth(
    error: AccountError, code: str
) -> None:
    url = flow.error_url(FRONT_END, error)
    assert url.startswith("https://shop.example.com/back?lang=en&")
    assert parse_qs(urlsplit(url).query)["error"] == [code]


# --- what waits in the browser's session ---------------------------------------------------------


@pytest.mark.parametrize("intent", [PAGE, LoginIntent(client=FRONT_END)])
def test_a_pending_identity_comes_back_as_it_was_stored(app: Flask, intent: LoginIntent) -> None:
    browser: dict[str, object] = {}
    question = PendingIdentity(SARI, 7, intent, utcnow())
    pending.store(browser, question)
    browser = app.json.loads(app.json.dumps(browser))
    assert pending.load(browser) == question
    pending.forget(browser)
    with pytest.raises(StaleSignInError):
        pending.load(browser)


def test_a_long_name_is_cut_to_what_the_cookie_has_room_for() -> None:
    browser: dict[str, object] = {}
    pending.store(browser, PendingIdentity(replace(SARI, name="n" * 5000), 7, PAGE, None))
    assert len(pending.load(browser).identity.name or "") == pending.MAX_NAME


def test_a_pending_identity_ends_after_ten_minutes() -> None:
    browser: dict[str, dict[str, float]] = {}
    pending.store(browser, PendingIdentity(SARI, 7, PAGE, None))
    browser["pending"]["until"] -= pending.PENDING_SECONDS + 1
    with pytest.raises(StaleSignInError):
        pending.load(browser)


def test_a_cookie_of_another_version_is_stale() -> None:
    browser: dict[str, dict[str, object]] = {}
    pending.store(browser, PendingIdentity(SARI, 7, PAGE, None))
    del browser["pending"]["proven_at"]
    with pytest.raises(StaleSignInError):
        pending.load(browser)
