"""The field rules, as somebody who registers and logs in meets them."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest
from flask.testing import FlaskClient

from tests.support.application import DUMMY, assert_problem, bearer
from tests.support.databases import select

GOOD = {
    "username": "newcomer",
    "email": "newcomer@example.org",
    "password": "correct horse battery",
}
EMAIL_120 = f"{'a' * 60}@{'b' * 47}.example.org"
COMBINED = "pässwörd mit ümläut"
ACCENTED = [chr(code) for code in range(0xC0, 0x180) if unicodedata.decomposition(chr(code))]
BYTES_72 = "kucing oren tidur siang di atap tetangga sambil mendengkur keras sekali!"
LETTERS_36 = "".join(ACCENTED[:36])  # of two bytes each, and three where they are decomposed


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


@pytest.mark.parametrize(
    "account",
    [
        {"username": "dummyuser", "email": "dummy@dummy.com", "password": "dummy1234"},
        {"username": "example", "email": "example@mail.com", "password": "yourpassword"},
    ],
)
def test_the_accounts_of_the_assignment_are_good(
    client: FlaskClient, account: dict[str, str]
) -> None:
    assert client.post("/register", data=account).status_code == 201
    assert client.post("/login", data=account).status_code == 200


@pytest.mark.parametrize(
    "username",
    ["abc", "123", "A.b_c-d", "a--b", "a..b", "9lives", "UPPER", "a" * 80, "a" + "." * 78 + "b"],
)
def test_a_username_within_the_rule_is_kept_as_written(client: FlaskClient, username: str) -> None:
    answer = client.post("/register", json=GOOD | {"username": username})
    assert answer.get_json()["user"]["username"] == username
    assert client.post("/login", json=GOOD | {"username": username}).status_code == 200


@pytest.mark.parametrize(
    "username",
    [
        "ab", "a", "a" * 81, ".abc", "abc.", "_abc", "abc_", "-abc", "abc-", "a b",
        "a\tb", "a@b", "a/b", "a+b", "böb", "\u0430bc", "a\u200bc", "<b>", "a'b", "😀😀😀",
        "\uff41bc", "a,b", "...", "٣٣٣",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_username_outside_the_rule_is_refused(shared_client: FlaskClient, username: str) -> None:
    answer = shared_client.post("/register", json=GOOD | {"username": username})
    assert_problem(answer, 400, "validation_error", "username")


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        ("newcomer@example.org", "newcomer@example.org"),
        ("First.Last+tag@Example.CO.UK", "First.Last+tag@example.co.uk"),
        ("a@b.io", "a@b.io"),
        (EMAIL_120, EMAIL_120),
        ("a@XN--MNCHEN-3YA.de", "a@xn--mnchen-3ya.de"),
    ],
)
def test_a_valid_email_is_kept_with_its_domain_in_small_letters(
    client: FlaskClient, email: str, kept: str
) -> None:
    answer = client.post("/register", json=GOOD | {"email": email})
    assert answer.get_json()["user"]["email"] == kept


@pytest.mark.parametrize(
    "email",
    [
        "newuseroke", "a@", "@b.org", "a@b", "a@localhost", "a b@c.org", "a@b..org", "a.@b.org",
        "a@b.org.", "a@-b.org", "ü@example.org", "a@exämple.org", "\uff41@example.org",
        "a@b@c.org", "a@[127.0.0.1]", '"a b"@example.org', "a@example.test",
        f"a{EMAIL_120}", "A <a@example.org>", "a@b.org,c@d.org",
    ],
    ids=ascii,
)  # fmt: skip
def test_an_invalid_email_is_refused(shared_client: FlaskClient, email: str) -> None:
    answer = shared_client.post("/register", json=GOOD | {"email": email})
    assert_problem(answer, 400, "validation_error", "email")
    assert len(answer.get_json()["errors"]["email"]) == 1


SPACED = [" {}", "{} ", "\t {} \r\n", "\N{NO-BREAK SPACE}{}"]


@pytest.mark.parametrize("spaced", SPACED, ids=ascii)
@pytest.mark.parametrize("path", ["/register", "/api/auth/register/"])
@pytest.mark.parametrize("body", ["json", "data"])
def test_spaces_around_a_new_name_are_dropped(
    client: FlaskClient, path: str, body: str, spaced: str
) -> None:
    """D5."""
    sent = {name: spaced.format(GOOD[name]) for name in ("username", "email")}
    made = client.post(path, **{body: GOOD | sent}).get_json()["user"]
    assert (made["username"], made["email"]) == (GOOD["username"], GOOD["email"])


@pytest.mark.parametrize("spaced", SPACED, ids=ascii)
@pytest.mark.parametrize("path", ["/login", "/api/auth/login/"])
@pytest.mark.parametrize("name", ["username", "email"])
def test_spaces_around_a_name_do_not_matter_at_the_login(
    client: FlaskClient, path: str, name: str, spaced: str
) -> None:
    """D5."""
    assert client.post("/register", json=GOOD).status_code == 201
    sent = {"username": spaced.format(GOOD[name]), "password": GOOD["password"]}
    assert client.post(path, json=sent).status_code == 200
    wrong = sent | {"password": spaced.format(GOOD["password"])}
    assert client.post(path, json=wrong).status_code == 401


def test_spaces_around_a_changed_name_are_dropped(client: FlaskClient) -> None:
    """D5."""
    assert client.post("/register", json=GOOD).status_code == 201
    token = client.post("/login", json=GOOD).get_json()["access_token"]
    sent = {
        "username": " renamed ",
        "email": " renamed@example.org ",
        "current_password": GOOD["password"],
    }
    me = client.patch("/api/auth/me/", json=sent, headers=bearer(token)).get_json()
    assert (me["username"], me["email"]) == ("renamed", "renamed@example.org")


@pytest.mark.parametrize("path", ["/register", "/login", "/api/auth/login/"])
def test_a_name_of_spaces_alone_is_blank(shared_client: FlaskClient, path: str) -> None:
    answer = shared_client.post(path, json=GOOD | {"username": " \t "})
    assert answer.status_code == 400
    faults = answer.get_json()
    assert faults.get("errors", faults)["username"] == ["This field may not be blank."]


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery", "kucing oren tidur siang", BYTES_72, LETTERS_36, "x7$Kq9!z",
        " leading and trailing ", "tabs\tand\nlines", "密码是这样的对吗", "kucing 🐈 oren",
        "'; DROP TABLE user; --",
        "0123456789abcdef" * 4,
    ],
    ids=ascii,
)  # fmt: skip
def test_a_password_within_the_rule_logs_in_exactly_as_written(
    client: FlaskClient, password: str
) -> None:
    account = GOOD | {"password": password}
    assert client.post("/register", json=account).status_code == 201
    assert client.post("/login", json=account).status_code == 200
    others = {
        password.strip(), password.swapcase(), f"{password}x", f" {password}", password[:-1],
        f"{password} ", password[:71],
    } - {password}  # fmt: skip
    for other in others:
        assert client.post("/login", json=GOOD | {"password": other}).status_code == 401


@pytest.mark.parametrize(
    "password",
    [
        "seven77", f"{BYTES_72}!", f"{LETTERS_36}é", "😀" * 19, "password", "Password1",
        "12345678", "qwertyuiop", "iloveyou", "newcomer", "NEWCOMER",
        "newcomer@example.org", "e\u0301" * 4, "x" * 1000, "aaaaaaaa", "abcdefgh",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_password_outside_the_rule_is_refused(shared_client: FlaskClient, password: str) -> None:
    answer = shared_client.post("/register", json=GOOD | {"password": password})
    assert_problem(answer, 400, "validation_error", "password")


@pytest.mark.parametrize("more", ["!", "é", "x" * 60_000])
def test_a_password_beyond_72_bytes_is_wrong_at_the_login(client: FlaskClient, more: str) -> None:
    account = GOOD | {"password": BYTES_72}
    assert client.post("/register", json=account).status_code == 201
    answer = client.post("/login", json=account | {"password": BYTES_72 + more})
    assert_problem(answer, 401, "invalid_credentials")


Form = Literal["NFC", "NFD"]


@pytest.mark.parametrize(("first", "second"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_a_password_logs_in_however_a_keyboard_spells_it(
    client: FlaskClient, first: Form, second: Form
) -> None:
    registered = GOOD | {"password": unicodedata.normalize(first, COMBINED)}
    assert client.post("/register", json=registered).status_code == 201
    typed = GOOD | {"password": unicodedata.normalize(second, COMBINED)}
    assert client.post("/login", json=typed).status_code == 200


def test_72_bytes_are_counted_in_one_spelling(client: FlaskClient) -> None:
    decomposed = unicodedata.normalize("NFD", LETTERS_36)
    assert len(LETTERS_36.encode()) == len(BYTES_72.encode()) == 72 < len(decomposed.encode())
    assert client.post("/register", json=GOOD | {"password": decomposed}).status_code == 201


def test_what_is_not_asked_for_is_ignored(client: FlaskClient, database_url: str) -> None:
    more = {
        "id": 77, "role": "admin", "is_admin": True, "disabled_at": "2020-01-01", "created_at": "x",
        "username_key": "other", "email_verified_at": "2020-01-01", "csrf_token": "x",
    }  # fmt: skip
    for answer in (
        client.post("/register", json=GOOD | more),
        client.post("/register", data=DUMMY | dict.fromkeys(more, "1")),
    ):
        assert answer.status_code == 201
        assert set(answer.get_json()["user"]) == {"id", "username", "email"}
    rows = select(database_url, "SELECT id, username_key, email_verified_at, disabled_at FROM user")
    assert rows == [(1, "newcomer", None, None), (2, "dummyuser", None, None)]
    assert client.post("/login", json=GOOD | more).status_code == 200


def test_every_hash_is_bcrypts_with_a_salt_of_its_own(
    client: FlaskClient, database_url: str
) -> None:
    for n in range(3):
        new = GOOD | {"username": f"person{n}", "email": f"p{n}@example.org"}
        assert client.post("/register", json=new).status_code == 201
    hashes = [row[0] for row in select(database_url, "SELECT password FROM user")]
    assert len({stored[7:29] for stored in hashes}) == 3
    assert [(stored[:7], len(stored)) for stored in hashes] == [("$2b$04$", 60)] * 3
