"""Opening a session and renewing it: who gets one, what its row holds, when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from sqlalchemy import Executable, delete, update

from app.core.errors import SessionRefusedError, TokenRevokedError
from app.extensions import db
from app.models import Identity, Session, User, utcnow
from app.sessions import ending, listing, opening
from app.sessions.opening import FEDERATED, PASSWORD, Grant, open_session, renew
from app.sessions.origin import Origin
from app.sessions.revocation import revocation_list
from tests.support.databases import execute, select

PROGRAM = Origin("192.0.2.1", "own")
PAGE = Origin("192.0.2.1", "browser", is_page=True)
BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC).replace(tzinfo=None)  # as the tables have it
ACCESS, REFRESH, AT_MOST = (timedelta(seconds=seconds) for seconds in (900, 1_209_600, 7_776_000))
HALF_A_DAY = timedelta(hours=12)


class Clock:
    """The time of day in UTC, which stands still until it is moved."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> datetime:
        return self.now

    def move(self, **since: float) -> datetime:
        self.now = BEGAN + timedelta(**since)
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (opening, ending, listing):
        monkeypatch.setattr(module, "utcnow", clock)
    return clock


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def account(name: str = "one", **columns: Any) -> int:
    db.session.add(user := User(username=name.title(), username_key=name, **columns))
    db.session.commit()
    return user.id


def identity_of(user_id: int, subject: str = "s-1") -> int:
    db.session.add(
        identity := Identity(
            user_id=user_id, provider="oidc", issuer="i", subject=subject, created_at=BEGAN
        )
    )
    db.session.commit()
    return identity.id


def opened(user_id: int, origin: Origin = PROGRAM, epoch: int = 0, **arguments: Any) -> Grant:
    return open_session(user_id, epoch, origin, (PASSWORD,), **arguments)


def row() -> Any:
    """The one session, as it is stored."""
    columns = Session.__table__.columns
    found = db.session.execute(db.select(*columns)).one()
    db.session.rollback()
    return found


def claims(token: str) -> Any:
    return jwt.decode(token, options={"verify_signature": False})


def recorded(caplog: pytest.LogCaptureFixture, name: str) -> list[Any]:
    records: list[Any] = caplog.records
    return [record.facts for record in records if record.msg == name]


def assert_nothing_is_locked(database_url: str) -> None:
    """Somebody else may write at once, while this request goes on."""
    assert not db.session().in_transaction()
    execute(database_url, "UPDATE user SET first_visit_until = NULL")


# --- what a login gets and leaves behind ---------------------------------------------------------


def test_a_login_gets_a_grant_of_its_account_and_session(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    user_id = account(auth_epoch=3)
    grant = opened(user_id, epoch=3)
    assert grant == Grant(
        user_id=user_id,
        username="One",
        epoch=3,
        session_id=row().id,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        access_expires_at=BEGAN + ACCESS,
        expires_in=900,
        language=None,
    )
    for token, kind, life in (
        (grant.access_token, "access", ACCESS),
        (grant.refresh_token, "refresh", REFRESH),
    ):
        said = claims(token)
        assert (said["type"], said["sub"], said["sid"]) == (kind, str(user_id), str(row().id))
        assert said["exp"] == (BEGAN + life).replace(tzinfo=UTC).timestamp()
    assert claims(grant.refresh_token)["rotation"] == 0
    assert recorded(caplog, "session.opened") == [
        {"user_id": user_id, "session_id": grant.session_id, "outcome": "success"}
    ]


def test_a_new_session_is_of_now_and_of_its_origin(clock: Clock) -> None:
    user_id = account()
    opened(user_id, Origin("2001:db8:0:1::9", "own"), proven_at=BEGAN - timedelta(seconds=5))
    assert dict(row()._mapping) == {
        "id": row().id,
        "user_id": user_id,
        "created_at": BEGAN,
        "last_used_at": BEGAN,
        "rotation": 0,
        "rotated_at": BEGAN,
        "expires_at": BEGAN + REFRESH,
        "access_expires_at": BEGAN + ACCESS,
        "revoked_at": None,
        "address": "2001:db8:0:1::9",
        "user_agent": "own",
        "network": "2001:db8:0:1::/64",
        "last_address": "2001:db8:0:1::9",
        "methods": "pwd",
        "identity_id": None,
        "proven_at": BEGAN - timedelta(seconds=5),
    }


@pytest.mark.parametrize(
    ("methods", "stored"),
    [((PASSWORD,), "pwd"), ((FEDERATED,), "fed"), ((PASSWORD, FEDERATED), "pwd fed"), ((), "")],
)
def test_how_the_person_logged_in_is_stored(methods: tuple[str, ...], stored: str) -> None:
    open_session(account(), 0, PROGRAM, methods)
    assert row().methods == stored


def test_of_a_long_origin_as_much_is_stored_as_fits() -> None:
    # No network is told of what is no address, such as one with a scope: it is its own.
    address, agent = f"{'a' * 45}b", f"{'c' * 255}d"
    opened(account(), Origin(address, agent))
    found = row()
    assert [found.address, found.network, found.last_address] == ["a" * 45] * 3
    assert found.user_agent == "c" * 255


# --- who gets none -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "disabled"),
    [
        (delete(User), False),
        (update(User).values(disabled_at=BEGAN), True),
        (update(User).values(auth_epoch=1), False),
        (update(User).values(auth_epoch=1, disabled_at=BEGAN), True),
    ],
    ids=["deleted", "disabled", "changed", "changed and disabled"],
)
def test_an_account_that_is_gone_disabled_or_changed_is_refused(
    database_url: str, caplog: pytest.LogCaptureFixture, change: Executable, disabled: bool
) -> None:
    user_id = account()
    db.session.execute(change)
    db.session.commit()
    with pytest.raises(SessionRefusedError) as refusal:
        opened(user_id)
    assert refusal.value.disabled is disabled
    assert_nothing_is_locked(database_url)
    assert select(database_url, "SELECT id FROM session") == []
    assert recorded(caplog, "login.refused") == [{"user_id": user_id, "outcome": "refused"}]


def test_an_identity_of_the_account_opens_it() -> None:
    user_id = account()
    identity_id = identity_of(user_id)
    open_session(user_id, 0, PROGRAM, (FEDERATED,), identity_id=identity_id)
    assert (row().identity_id, row().methods) == (identity_id, "fed")


def test_an_identity_of_another_account_opens_nothing(database_url: str) -> None:
    user_id, other_id = account(), account("two")
    identity_of(user_id, "own")
    others = identity_of(other_id, "other")
    with pytest.raises(SessionRefusedError) as refusal:
        opened(user_id, identity_id=others)
    assert not refusal.value.disabled
    assert select(database_url, "SELECT id FROM session") == []


def test_an_identity_that_was_disconnected_meanwhile_opens_nothing(database_url: str) -> None:
    user_id = account()
    identity_of(user_id, "still connected")
    gone = identity_of(user_id, "gone")
    db.session.execute(delete(Identity).where(Identity.id == gone))
    db.session.commit()
    with pytest.raises(SessionRefusedError):
        opened(user_id, identity_id=gone)
    assert select(database_url, "SELECT id FROM session") == []


# --- a hash at today's cost ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "after"),
    [("checked", "new"), ("changed meanwhile", "changed meanwhile"), ("new", "new"), (None, None)],
)
def test_only_the_hash_that_was_checked_is_replaced(
    database_url: str, stored: str | None, after: str | None
) -> None:
    opened(account(password=stored), rehash=("checked", "new"))
    assert select(database_url, "SELECT password FROM user") == [(after,)]


def test_without_a_new_hash_the_stored_one_stays(database_url: str) -> None:
    opened(account(password="checked"))
    assert select(database_url, "SELECT password FROM user") == [("checked",)]


# --- how many ------------------------------------------------------------------------------------


def many(user_id: int, count: int) -> list[int]:
    """Living sessions of an account, oldest first."""
    now = utcnow()
    ends = {"expires_at": now + REFRESH, "access_expires_at": now + ACCESS}
    times = {"created_at": now, "last_used_at": now, "rotated_at": now}
    rows = [
        Session(user_id=user_id, rotation=0, address="", user_agent="", **times, **ends)
        for _ in range(count)
    ]
    db.session.add_all(rows)
    db.session.commit()
    return sorted(session.id for session in rows)


def ended() -> list[int]:
    found = db.session.scalars(db.select(Session.id).where(Session.revoked_at.is_not(None))).all()
    db.session.rollback()
    return sorted(found)


def test_the_101st_login_ends_the_oldest_of_its_account_and_no_other() -> None:
    user_id, other_id = account(), account("two")
    others = many(other_id, 2)
    own = many(user_id, 99)
    others += many(other_id, 1)
    own.append(opened(user_id).session_id)
    assert ended() == []
    revocation_list().refresh(db.engine)
    own.append(opened(user_id).session_id)
    assert ended() == own[:1]
    # Its access token is refused by this worker before it looks again, and no other one is.
    with pytest.raises(TokenRevokedError):
        revocation_list().check(own[0])
    for session_id in own[1:] + others:
        revocation_list().check(session_id)
    opened(user_id)
    assert ended() == own[:2]


def test_sessions_that_have_ended_leave_room() -> None:
    user_id = account()
    own = many(user_id, 101)
    over = {"expires_at": utcnow() - timedelta(seconds=1)}
    db.session.execute(update(Session).where(Session.id == own[50]).values(**over))
    db.session.execute(update(Session).where(Session.id == own[60]).values(revoked_at=utcnow()))
    db.session.commit()
    opened(user_id)
    assert ended() == [own[60]]


# --- how long ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "arguments", "life"),
    [
        (PAGE, {}, HALF_A_DAY),
        (PAGE, {"keep": False}, HALF_A_DAY),
        (PAGE, {"keep": True}, REFRESH),
        (PROGRAM, {}, REFRESH),
        (PROGRAM, {"keep": True}, REFRESH),
    ],
)
def test_a_page_is_kept_12_hours_unless_the_person_asks_for_more(
    clock: Clock, origin: Origin, arguments: dict[str, bool], life: timedelta
) -> None:
    opened(account(), origin, **arguments)
    assert row().expires_at == BEGAN + life


def test_a_renewal_is_stored(clock: Clock, database_url: str) -> None:
    grant = opened(account(auth_epoch=2), PAGE, epoch=2, keep=True)
    now = clock.move(days=3)
    renewed = renew(grant.session_id, Origin("198.51.100.7", "other", is_page=True))
    assert renewed == Grant(
        user_id=grant.user_id,
        username="One",
        epoch=2,
        session_id=grant.session_id,
        access_token=renewed.access_token,
        refresh_token=renewed.refresh_token,
        access_expires_at=now + ACCESS,
        expires_in=900,
        language=None,
    )
    assert_nothing_is_locked(database_url)
    found = row()
    assert (found.created_at, found.last_used_at) == (BEGAN, now)
    assert (found.expires_at, found.access_expires_at) == (now + REFRESH, now + ACCESS)
    # The login was made elsewhere, by the program that it names.
    assert (found.last_address, found.address) == ("198.51.100.7", "192.0.2.1")
    assert (found.user_agent, found.rotation) == ("browser", 0)


def test_of_a_long_address_a_renewal_stores_as_much_as_fits() -> None:
    grant = opened(account())
    renew(grant.session_id, Origin(f"{'a' * 45}b", "own"))
    assert row().last_address == "a" * 45


def test_a_renewal_keeps_to_what_the_person_asked_for(clock: Clock) -> None:
    kept, not_kept = opened(account(), PAGE, keep=True), opened(account("two"), PAGE)
    now = clock.move(hours=6)
    renew(kept.session_id, PAGE)
    renew(not_kept.session_id, PAGE, kept=False)
    ends = db.session.scalars(db.select(Session.expires_at).order_by(Session.id)).all()
    assert ends == [now + REFRESH, BEGAN + HALF_A_DAY]


def test_no_renewal_goes_beyond_the_longest_life(clock: Clock) -> None:
    grant = opened(account(), PAGE, keep=True)
    for days in range(10, 90, 10):
        now = clock.move(days=days)
        renew(grant.session_id, PAGE)
        assert row().expires_at == min(now + REFRESH, BEGAN + AT_MOST)
    assert row().expires_at == BEGAN + timedelta(days=90)


def test_the_last_access_token_of_a_session_ends_with_it(clock: Clock) -> None:
    grant = opened(account(), PAGE)
    clock.move(hours=11, minutes=55)
    renewed = renew(grant.session_id, PAGE, kept=False)
    assert renewed.access_expires_at == row().expires_at == BEGAN + HALF_A_DAY
    ends = (BEGAN + HALF_A_DAY).replace(tzinfo=UTC).timestamp()
    assert claims(renewed.access_token)["exp"] == ends


# --- what is not renewed -------------------------------------------------------------------------


def assert_over(grant: Grant, database_url: str) -> None:
    """A renewal is refused, and changes and locks nothing."""
    before = row()
    with pytest.raises(TokenRevokedError):
        renew(grant.session_id, Origin("198.51.100.7", "own"))
    assert_nothing_is_locked(database_url)
    assert row() == before


def test_a_session_is_renewed_until_the_second_it_ends(clock: Clock, database_url: str) -> None:
    grant = opened(account(), PAGE)
    clock.move(hours=12)
    assert_over(grant, database_url)
    clock.move(hours=11, minutes=59, seconds=59)
    assert renew(grant.session_id, PAGE, kept=False).session_id == grant.session_id


def test_an_ended_session_is_not_renewed(clock: Clock, database_url: str) -> None:
    grant = opened(account())
    ending.log_out(grant.session_id)
    assert_over(grant, database_url)


def test_the_session_of_an_account_disabled_by_hand_is_not_renewed(
    clock: Clock, database_url: str
) -> None:
    grant = opened(account())
    db.session.execute(update(User).values(disabled_at=BEGAN))
    db.session.commit()
    clock.move(minutes=1)
    assert_over(grant, database_url)


def test_the_session_of_an_account_deleted_by_hand_is_not_renewed(
    clock: Clock, database_url: str
) -> None:
    grant = opened(account())
    db.session.execute(delete(User))
    db.session.commit()
    clock.move(minutes=1)
    assert_over(grant, database_url)


def test_one_renewal_leaves_other_sessions_as_they_are(clock: Clock) -> None:
    user_id = account()
    first, second = opened(user_id), opened(user_id)
    clock.move(minutes=1)
    assert renew(second.session_id, PROGRAM).session_id == second.session_id
    used = db.select(Session.id).where(Session.last_used_at == clock.now)
    assert db.session.scalars(used).all() == [second.session_id]
    assert first.session_id != second.session_id
