"""Importing and exporting accounts: what is taken, what is refused and why, and the round trip."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy.engine import make_url

from app.core import proofs
from app.core.client import Client
from app.extensions import db
from app.models import User
from tests.support import hashes
from tests.support.application import DUMMY, assert_problem
from tests.support.databases import execute, select
from tests.support.mails import delivered

HEADER = "username,email,password"
BUDI = f"budi,budi@example.com,{hashes.PHP_10}"
LOGIN = {"username": "budi", "password": hashes.PASSWORD}
TIME = "2020-02-03T04:05:06Z"

Import = Callable[..., str]


@pytest.fixture
def import_(app: Flask, tmp_path: Path) -> Import:
    """Import lines of a file (CSV unless it is named otherwise), and return what is printed."""

    def run(*lines: str, options: str = "--yes", name: str = "users.csv", fails: int = 0) -> str:
        file = tmp_path / name
        file.write_text("\n".join(lines) + "\n")
        return said(app, "users", "import", str(file), *options.split(), fails=fails)

    return run


def invoke(app: Flask, *arguments: str, typed: bytes | None = None) -> Result:
    return app.test_cli_runner().invoke(args=arguments, input=typed)


def said(app: Flask, *arguments: str, fails: int = 0, typed: bytes | None = None) -> str:
    result = invoke(app, *arguments, typed=typed)
    assert result.exit_code == fails, result.output
    return result.stderr if fails else result.stdout


def accounts(database_url: str, columns: str = "username, email, password") -> list[Any]:
    return select(database_url, f"SELECT {columns} FROM user ORDER BY id")


def counts(printed: str) -> tuple[int, int, int]:
    """How many were imported, here already and refused."""
    lines = [line.split() for line in printed.splitlines() if line.startswith(" ")]
    imported, present, refused = (int(line[0].replace(",", "")) for line in lines)
    return imported, present, refused


# --- the dry run and the import ------------------------------------------------------------------


def test_without_yes_nothing_is_written_and_everything_is_told(
    import_: Import, database_url: str
) -> None:
    lines = (HEADER, BUDI, f"siti,siti@example.com,{hashes.PBKDF2_SALTED}", "eko,eko@example.com,")
    printed = import_(*lines, "x,x@example.com,", options="")
    assert accounts(database_url) == []
    kinds = "1 bcrypt (cost 10), 1 pbkdf2_sha256 (cost 20,000), 1 without a password"
    assert printed.splitlines()[1:] == [
        "4 lines read",
        f"        3 would be imported: {kinds}, to be set by the reset mail",
        "        0 here already, and left as they are",
        "        1 would be refused",
        "Nothing was written. To import: --yes",
    ]
    assert printed.startswith("line 5: username: ")
    assert counts(import_(*lines)) == (3, 0, 0)


@pytest.mark.parametrize("options", ["", "--yes"])
def test_every_refusal_is_told_by_line_with_its_reason_and_without_the_hash(
    import_: Import, app: Flask, dummy: dict[str, str], options: str
) -> None:
    bad = {
        "du,budi@example.com,": "username: it needs 3 to 80",
        "budi santoso,budi@example.com,": "username: it needs 3 to 80",
        "budi,budi,": "email: An email address must have an @-sign.",
        "budi,,": "email: there is none",
        f"budi,{'b' * 110}@example.com,": "email: Use an e-mail of at most 120 characters.",
        "bu\u00e4di,budi@example.com,": "username: ",
        "budi,b\u00fcdi@example.com,": "email: ",
        "DummyUser,new@example.com,": "username: another account has it",
        "budi,DUMMY@dummy.com,": "email: another account has it",
        "budi,budi@example.com,rahasia123": "a plain password is never imported",
        "budi,budi@example.com,$apr1$w0QutiMn$oCukfaut3G1Ni01Z93Lyg1": "MD5 of Apache",
        f"budi,budi@example.com,{hashes.PHP_10.replace('$10$', '$15$')}": "15, and 14 is the most",
        "budi,budi@example.com": "it has 2 columns, and the first line 3",
        f"{BUDI},more": "it has 4 columns, and the first line 3",
        "budi\udce9,budi@example.com,": "username: ",
        "budi,budi\udce9@example.com,": "email: ",
    }
    folder = Path(app.instance_path).parent
    file = Path(str(folder / "bad.csv"))
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join([HEADER, *bad, BUDI, BUDI.upper(), f"budi,b2@example.com,{hashes.PHP_10}"])
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    printed = said(app, "users", "import", str(file), *options.split())
    lines = printed.splitlines()
    for number, (line, reason) in enumerate(zip(lines, bad.values(), strict=False), 2):
        assert line.startswith(f"line {number}: ")
        assert reason in line
    last = len(bad) + 2
    assert lines[len(bad)].startswith(f"line {last + 1}: password: ")  # upper case: no hash
    assert lines[len(bad) + 1] == f"line {last + 2}: username: it stands further up already"
    assert counts(printed) == (1, 0, len(bad) + 2)
    assert "$2y$" not in printed
    assert "rahasia" not in printed


def test_a_repeated_email_is_told_too(import_: Import) -> None:
    printed = import_(HEADER, BUDI, "wati,BUDI@example.com,")
    assert printed.startswith("line 3: email: it stands further up already\n")


def test_the_rest_is_imported_as_it_is_and_logs_in(
    import_: Import, app: Flask, database_url: str
) -> None:
    import_(HEADER, "x,,", f" Budi , Budi@EXAMPLE.com ,{hashes.PHP_10}", "", "eko,eko@example.com,")
    assert accounts(database_url) == [
        ("Budi", "Budi@example.com", hashes.PHP_10),
        ("eko", "eko@example.com", None),
    ]
    keys = accounts(database_url, "username_key, email_key, must_verify_email, auth_epoch")
    assert keys[0] == ("budi", "budi@example.com", 0, 0)
    ((created, proven),) = accounts(database_url, "created_at, email_verified_at")[:1]
    assert created is not None
    assert proven is None
    client = app.test_client()
    assert client.post("/login", json=LOGIN).status_code == 200
    assert client.post("/login", json=LOGIN | {"username": "BUDI@example.com"}).status_code == 200


def test_an_import_that_is_repeated_adds_nothing_and_overwrites_nothing(
    import_: Import, app: Flask, database_url: str
) -> None:
    lines = (HEADER, BUDI, "eko,eko@example.com,")
    import_(*lines)
    before = accounts(database_url, "*")
    assert counts(import_(*lines)) == (0, 2, 0)
    assert accounts(database_url, "*") == before
    # Somebody has logged in since, and has a hash of ours.
    assert app.test_client().post("/login", json=LOGIN).status_code == 200
    before = accounts(database_url, "*")
    assert counts(import_(*lines, "new,new@example.com,", options="")) == (1, 2, 0)
    assert counts(import_(*lines, f"Budi,other@example.com,{hashes.PHP_12}")) == (0, 2, 1)
    assert accounts(database_url, "*") == before


def test_an_email_that_can_still_be_taken_back_is_taken(
    import_: Import, app: Flask, dummy: dict[str, str], database_url: str
) -> None:
    with app.app_context():
        user = db.session.get(User, accounts(database_url, "id")[0][0])
        proofs.create(proofs.UNDO, "budi@example.com", Client(), user, reserves=True)
        db.session.commit()
    for options in ("", "--yes"):
        printed = import_(HEADER, BUDI, options=options)
        assert printed.startswith("line 2: email: an account that had it can still take it back\n")


def test_an_account_without_a_password_sets_one_by_the_reset_mail(
    import_: Import, app: Flask
) -> None:
    import_(HEADER, "eko,eko@example.com,!X0unusableOfDjango")
    client = app.test_client()
    client.post("/api/auth/password/reset/", json={"email": "eko@example.com"})
    token = delivered(app, to="eko@example.com")[-1].token
    new = {"token": token, "new_password": hashes.PASSWORD}
    assert client.post("/api/auth/password/reset/confirm/", json=new).status_code == 200
    assert client.post("/login", json=LOGIN | {"username": "eko"}).status_code == 200


def test_the_import_is_one_event_with_counts(
    import_: Import, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    lines = (HEADER, BUDI, "x,,")
    import_(*lines, options="")
    assert "accounts.imported" not in caplog.text
    import_(*lines)
    (record,) = [each for each in caplog.records if each.message == "accounts.imported"]
    assert vars(record)["facts"]["counts"] == {"imported": 1, "present": 0, "refused": 1}


def test_how_far_it_is_is_told_now_and_then(
    import_: Import, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "long.csv").write_text(
        HEADER + "".join(f"\nperson{n},p{n}@example.com," for n in range(2500))
    )
    monkeypatch.setattr("app.cli.transfer._PROGRESS", -1)
    told = invoke(app, "users", "import", str(tmp_path / "long.csv"), "--yes")
    lines = [line for line in told.stderr.splitlines() if line.endswith(" a second")]
    assert [line.split(" lines")[0] for line in lines] == ["1,000", "2,000", "2,500"]
    assert counts(told.stdout) == (2500, 0, 0)
    monkeypatch.undo()
    again = invoke(app, "users", "import", str(tmp_path / "long.csv"), "--yes")
    assert counts(again.stdout) == (0, 2500, 0)
    assert " a second" not in again.stderr


# --- proven e-mails ------------------------------------------------------------------------------


def test_emails_are_proven_only_if_the_operator_says_so(import_: Import, database_url: str) -> None:
    header = f"{HEADER},created_at,email_verified_at"
    rows = (f"{BUDI},{TIME},{TIME}", f"eko,eko@example.com,,{TIME},")
    proven = "email_verified_at IS NOT NULL"
    import_(header, *rows)
    assert accounts(database_url, f"username, {proven}") == [("budi", 0), ("eko", 0)]
    execute(database_url, "DELETE FROM user")
    import_(header, *rows, options="--yes --emails-proven")
    assert accounts(database_url, f"username, {proven}") == [("budi", 1), ("eko", 0)]
    execute(database_url, "DELETE FROM user")
    import_(f"{HEADER},created_at", *(row.rpartition(",")[0] for row in rows),
            options="--yes --emails-proven")  # fmt: skip
    columns = f"username, {proven}, created_at = email_verified_at"
    assert accounts(database_url, columns) == [("budi", 1, 1), ("eko", 1, 1)]


def test_where_emails_must_be_proven_the_first_login_sends_the_mail(
    make_app: Callable[..., Flask], tmp_path: Path, database_url: str
) -> None:
    app = make_app(email_verification="required")
    file = tmp_path / "users.csv"
    file.write_text(f"{HEADER}\n{BUDI}\nproven,proven@example.com,{hashes.PHP_10}\n")
    said(app, "users", "import", str(file), "--yes")
    execute(database_url, "UPDATE user SET email_verified_at = created_at, must_verify_email = 0 "
                          "WHERE username = 'proven'")  # fmt: skip
    client = app.test_client()
    assert delivered(app) == []
    wrong = LOGIN | {"password": "wrong"}
    assert_problem(client.post("/login", json=wrong), 401, "invalid_credentials")
    assert delivered(app) == []
    for _ in range(2):
        assert_problem(client.post("/login", json=LOGIN), 403, "email_unverified")
    (mail,) = delivered(app)  # one, although the login came twice
    code = {"email": "budi@example.com", "code": mail.code}
    assert client.post("/api/auth/email/verify/confirm/", json=code).status_code == 200
    assert client.post("/login", json=LOGIN).status_code == 200
    assert client.post("/login", json=LOGIN | {"username": "proven"}).status_code == 200


# --- what files look like ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("users.csv", f"\ufeff{HEADER}\r\n{BUDI}\r\n"),
        ("users.csv", f"id;password;email;username\n1;{hashes.PHP_10};budi@example.com;budi\n"),
        (
            "users.csv",
            f'"email"\t"username"\t"password"\n"budi@example.com"\tbudi\t{hashes.PHP_10}',
        ),
        ("users.json", json.dumps([dict(zip(HEADER.split(","), BUDI.split(","), strict=True))])),
        (
            "users.jsonl",
            json.dumps(dict(zip(HEADER.split(","), BUDI.split(","), strict=True)), indent=1) * 2,
        ),
    ],
)
def test_a_file_is_read_as_programs_write_it(
    app: Flask, tmp_path: Path, database_url: str, name: str, text: str
) -> None:
    (tmp_path / name).write_bytes(text.encode())
    said(app, "users", "import", str(tmp_path / name), "--yes")
    assert accounts(database_url) == [("budi", "budi@example.com", hashes.PHP_10)]


def test_standard_input_is_a_file_too(app: Flask, database_url: str) -> None:
    typed = f"{HEADER}\n{BUDI}\n".encode()
    assert "--format" in said(app, "users", "import", "-", fails=2, typed=typed)
    said(app, "users", "import", "-", "--format", "csv", "--yes", typed=typed)
    assert accounts(database_url, "username") == [("budi",)]


@pytest.mark.parametrize("name", ["htpasswd", ".htpasswd", "site.htpasswd"])
def test_htpasswd_needs_a_domain_for_its_emails(
    import_: Import, database_url: str, name: str
) -> None:
    lines = ("# people", "", f"budi:{hashes.HTPASSWD_5}", "no colon", "wati:$apr1$x$y")
    assert "--email-domain" in import_(*lines, name=name, fails=2)
    printed = import_(*lines, name=name, options="--yes --email-domain example.com --emails-proven")
    assert printed.splitlines()[0] == "line 4: it is not name:hash"
    assert printed.splitlines()[1].startswith("line 5: password: ")
    assert accounts(database_url, "username, email, email_verified_at") == [
        ("budi", "budi@example.com", None)
    ]
    assert "--email-domain must be" in import_(*lines, options="--email-domain x", fails=2)


def test_json_is_told_by_the_line_in_which_an_object_begins(import_: Import) -> None:
    lines = ("[", '{"username": null, "email": "a@example.com", "password": ""},', "7,", "{",
             '"username": "budi", "email": "budi@example.com"', "}, {",
             '"username": "budi", "email": "budi@example.com", "password": false}]')  # fmt: skip
    printed = import_(*lines, name="users.json").splitlines()
    assert printed[0].startswith("line 2: username: ")
    assert printed[1:3] == ["line 3: it is no object", "line 4: it has no 'password'"]
    assert printed[3].startswith("line 6: password: that is no hash")


def test_json_of_any_length_is_read_in_pieces(app: Flask, tmp_path: Path) -> None:
    people = [
        {"username": f"person{n}", "email": f"p{n}@example.com", "password": "", "more": "\n" * 99}
        for n in range(3000)
    ]
    for text in (json.dumps(people), json.dumps(people, indent=1)):
        (tmp_path / "users.json").write_text(text)
        printed = said(app, "users", "import", str(tmp_path / "users.json"))
        assert counts(printed) == (3000, 0, 0)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("users.csv", "", "The file has no column 'username'"),
        ("users.csv", "name,email,password\n", "has no column 'username', but name, email"),
        ("users.csv", f'{HEADER}\nbudi,"x\n', "is not CSV"),
        ("users.json", "[" + json.dumps({}) + ",", "the file ends too soon"),
        ("users.json", '[{"username": "x"', "the file ends too soon"),
        ("users.json", '{"username": "x"}}', "is not JSON"),
        ("users.csv", f"{BUDI}\n{BUDI}\n", "has no column 'username'. Name its columns"),
        ("users.json", "[" * 30_000, "What begins in line 1 is not JSON"),
        ("users.json", "x" * (1 << 21), "What begins in line 1 is not JSON"),
    ],
)
def test_a_file_that_is_not_what_it_is_called_ends_in_one_line(
    app: Flask, tmp_path: Path, name: str, text: str, reason: str
) -> None:
    (tmp_path / name).write_text(text)
    (line,) = said(app, "users", "import", str(tmp_path / name), fails=1).splitlines()
    assert reason in line


def test_a_file_that_is_missing_ends_in_one_line(app: Flask, tmp_path: Path) -> None:
    printed = said(app, "users", "import", str(tmp_path / "none.csv"), fails=1)
    assert "cannot be read: No such file" in printed
    assert "--format" in said(app, "users", "import", str(tmp_path / "none"), fails=2)


# --- other names, and none -----------------------------------------------------------------------


def test_columns_may_have_other_names(import_: Import, database_url: str) -> None:
    options = "--yes --columns username=login,password=hash,created_at=joined,active=is_active"
    lines = ("login,email,hash,joined,is_active", f"{BUDI},2020-02-03 04:05:06.789+07:00,1",
             "eko,eko@example.com,,,0", "ani,ani@example.com,,yesterday,1")  # fmt: skip
    printed = import_(*lines, options=options)
    assert printed.startswith("line 4: created_at: that is no time such as")
    shown = accounts(database_url, "username, created_at, disabled_at IS NULL")
    assert str(shown[0][1]).startswith("2020-02-02 21:05:06")
    assert [(row[0], row[2]) for row in shown] == [("budi", 1), ("eko", 0)]
    assert "no column 'login'" in import_(HEADER, BUDI, options=options, fails=1)
    for wrong in ("name=login", "username", "username="):
        assert "--columns has" in import_(HEADER, options=f"--columns {wrong}", fails=2)


def test_usernames_can_be_made_of_emails(import_: Import, dummy: dict[str, str],
                                         database_url: str) -> None:  # fmt: skip
    lines = ("name,email,password", "Budi Santoso,budi.santoso@example.com,",
             "Budi S.,Budi.Santoso@example.org,", "Dummy,dummyuser@example.com,",
             "Again,dummyuser@example.com,")  # fmt: skip
    for _ in range(2):
        printed = import_(*lines, options="--yes --usernames-from-emails")
        assert printed.startswith("line 5: email: it stands further up already")
        assert [name for (name,) in accounts(database_url, "username")] == [
            "dummyuser", "budi.santoso", "budi.santoso2", "dummyuser2",
        ]  # fmt: skip
    assert counts(printed) == (0, 3, 1)


@pytest.mark.parametrize(
    ("active", "is_disabled"),
    [("1", False), ("", False), ("Yes", False), ("0", True), ("FALSE", True), ("\x00", True)],
)
def test_who_may_not_log_in_elsewhere_may_not_here(
    import_: Import, database_url: str, active: str, is_disabled: bool
) -> None:
    import_(f"{HEADER},active", f"{BUDI},{active}")
    ((disabled_at,),) = select(database_url, "SELECT disabled_at FROM user")
    assert (disabled_at is not None) is is_disabled


@pytest.mark.parametrize("active", ["inactive", "disabled", "tidak", "0.0", "2"])
def test_an_answer_that_is_neither_yes_nor_no_is_refused(import_: Import, active: str) -> None:
    printed = import_(f"{HEADER},active", f"{BUDI},{active}")
    assert "line 2: active: that is neither yes nor no" in printed
    assert counts(printed) == (0, 0, 1)


# --- another database ----------------------------------------------------------------------------

_COLUMNS = "id INTEGER, name VARCHAR(99), email VARCHAR(99), email_verified_at DATETIME"
_BUDI = f"1, 'Budi Santoso', 'budi@example.com', '2020-02-03 04:05:06', '{hashes.PHP_10}'"
LARAVEL = (
    f"CREATE TABLE people ({_COLUMNS}, password VARCHAR(255))",
    f"INSERT INTO people VALUES ({_BUDI})",
    "INSERT INTO people VALUES (2, 'x', 'nowhere', NULL, NULL)",
)


@pytest.fixture
def laravel(bare_database_url: str) -> str:
    """The URL of a database with a table of Laravel's."""
    execute(bare_database_url, *LARAVEL)
    return bare_database_url


def test_a_table_of_another_database_is_imported(
    make_app: Callable[..., Flask], laravel: str, database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    app = make_app()
    options = ("--table", "people", "--usernames-from-emails", "--emails-proven", "--yes")
    url = laravel.replace("mysql+pymysql://", "mysql://")
    printed = said(app, "users", "import", url, *options)
    assert printed.splitlines()[0].startswith("row 2: email: An email address must have")
    assert counts(printed) == (1, 0, 1)
    assert accounts(database_url) == [("budi", "budi@example.com", hashes.PHP_10)]
    ((proven,),) = accounts(database_url, "email_verified_at")
    assert str(proven).startswith("2020-02-03 04:05:06")
    assert app.test_client().post("/login", json=LOGIN).status_code == 200
    monkeypatch.setenv("OLD_DATABASE", url)
    assert counts(said(app, "users", "import", "env:OLD_DATABASE", *options)) == (0, 1, 1)


def test_another_sqlite_database_stays_as_it_is(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "laravel.sqlite"
    with closing(sqlite3.connect(file)) as other, other:
        other.executescript(";".join(LARAVEL))
    before = file.read_bytes()
    options = ("--table", "people", "--usernames-from-emails")
    said(app, "users", "import", f"sqlite:///{file}", *options)
    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.glob("laravel*")] == ["laravel.sqlite"]
    missing = f"sqlite:///{tmp_path}/none.sqlite"
    assert "There is no database at" in said(app, "users", "import", missing, *options, fails=1)
    assert not (tmp_path / "none.sqlite").exists()


def test_what_is_wrong_with_another_database_is_told_without_its_url(
    app: Flask, laravel: str
) -> None:
    url = laravel.replace("mysql+pymysql://root@", "mysql://root:s3cret@")
    for arguments, reason in {
        (url,): "--table",
        (url, "--table", "none"): "cannot be read",
        (url, "--table", "people"): "has no column 'username', but id, name, email",
        ("postgresql://root:s3cret@x/y", "--table", "x"): "must begin with mysql://",
        ("mysql://root:s3cret@127.0.0.1:1/y", "--table", "x"): "cannot be read",
        ("mysql://root:s3cret@x:port/y", "--table", "x"): "not the URL of a database",
        ("env:NOT_SET", "--table", "x"): "There is no variable NOT_SET",
    }.items():
        result = invoke(app, "users", "import", *arguments)
        assert result.exit_code in {1, 2}
        if make_url(laravel).drivername == "sqlite" or not arguments[0].startswith(url):
            assert reason in result.stderr
        assert "s3cret" not in result.output


# --- export --------------------------------------------------------------------------------------


def test_an_export_has_hashes_only_if_asked(import_: Import, app: Flask) -> None:
    assert said(app, "users", "export", "--format", "json") == "[]\n"
    import_(HEADER, BUDI)
    assert "$2y$" not in said(app, "users", "export")
    assert "$2y$" not in said(app, "users", "export", "--format", "json")
    assert BUDI.split(",")[2] in said(app, "users", "export", "--hashes")


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_is_exported_is_imported_unchanged(
    app: Flask, import_: Import, tmp_path: Path, database_url: str, form: str
) -> None:
    header = f"{HEADER},created_at,email_verified_at,disabled_at"
    ani = f"ani,=1+1@example.com,{hashes.PBKDF2_SALTED},,,{TIME}"
    rows = (f"{BUDI},{TIME},{TIME},", ani, "eko,'+x@example.com,,,,")
    import_(header, *rows, options="--yes --emails-proven")
    said(app, "users", "create", "made", "made@example.com", typed=b"kucing oren di pasar\n")
    columns = ("username, email, password, username_key, email_key, created_at, disabled_at, "
               "email_verified_at, must_verify_email")  # fmt: skip
    before = accounts(database_url, columns)
    assert len(before) == 4
    file = tmp_path / f"export.{form}"
    file.write_text(said(app, "users", "export", "--format", form, "--hashes"))
    assert counts(said(app, "users", "import", str(file), "--yes")) == (0, 4, 0)
    execute(database_url, "DELETE FROM user")
    printed = said(app, "users", "import", str(file), "--yes", "--emails-proven")
    assert counts(printed) == (4, 0, 0)
    assert accounts(database_url, columns) == before


def test_no_cell_of_an_export_is_a_formula(import_: Import, app: Flask, database_url: str) -> None:
    emails = ["=1+1@example.com", "+a@example.com", "-a@example.com", "'=a@example.com",
              "'''-a@example.com", "'a@example.com", "a'=b@example.com"]  # fmt: skip
    lines = [json.dumps({"username": f"user{n}", "email": email, "password": None})
             for n, email in enumerate(emails)]  # fmt: skip
    import_(*lines, name="users.jsonl")
    exported = said(app, "users", "export", "--hashes")
    cells = [cell for row in csv.reader(io.StringIO(exported)) for cell in row]
    assert [cell for cell in cells if cell.startswith(tuple("=+-@\t\r"))] == []
    execute(database_url, "DELETE FROM user")
    import_(exported.strip())
    assert [email for (email,) in accounts(database_url, "email")] == emails


def test_an_export_is_one_event(app: Flask, dummy: dict[str, str],
                                caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    caplog.set_level("INFO")
    said(app, "users", "export", "--hashes")
    (record,) = [each for each in caplog.records if each.message == "accounts.exported"]
    assert vars(record)["facts"] == {"count": 1, "kind": "with hashes", "outcome": "success"}


def test_a_long_export_is_whole_and_in_order(
    import_: Import, app: Flask, database_url: str
) -> None:
    rows = [f"person{n},p{n}@example.com," for n in range(2001)]
    import_(HEADER, *rows)
    assert len(accounts(database_url, "id")) == 2001
    exported = said(app, "users", "export").splitlines()[1:]
    assert [row.partition(",")[0] for row in exported] == [f"person{n}" for n in range(2001)]
    assert DUMMY["username"] not in exported
