"""The tables: as the models say, up and down, and as the assignment's first version left them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pymysql
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import downgrade, upgrade
from pymysql.constants import CLIENT
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url

from app import create_app
from app.core.migrations import bind_flask_migrate, revisions
from app.models import Base
from app.server import dump_sql
from tests.support.application import DUMMY, close
from tests.support.databases import execute, make_config, migrate_database, mysql_database, select
from tests.support.environment import ROOT, clean_environment, free_port

# bcrypt at cost 12 of "dummy1234", as the first version stored it.
HASH = "$2b$12$jxMJBtmxwoMc0e.4LCXesOH1bt9VtVoFN59qjhiFlmY1vQBUYezvy"
PEOPLE = [
    (3, "dummyuser", "dummy@dummy.com"), (4, "Bob", "Bob@Example.com"),
    (5, "Åsa Ö", "asa@example.com"), (7, "x", "not an address"), (1000, "trailing.", ""),
]  # fmt: skip
TWINS = [
    (1, "old", "twin@example.com"), (2, "other", "o@example.com"), (3, "new", "Twin@example.com"),
]  # fmt: skip
COLUMNS = "id, username, email, password"


def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def first_version(url: str, people: list[tuple[int, str, str]], variant: str = "") -> None:
    """Make the table `user` as the first version did, with these people in it."""
    rule = "" if "nullable" in variant else "NOT NULL"
    unique = ", UNIQUE (email)" if "unique e-mail" in variant else ""
    number = "INTEGER NOT NULL" if is_sqlite(url) else "INTEGER NOT NULL AUTO_INCREMENT"
    collation = variant.split(maxsplit=1)[0] if variant.startswith(("utf8", "latin1")) else ""
    options = f" CHARACTER SET {collation.split('_')[0]} COLLATE {collation}" if collation else ""
    index = "CREATE UNIQUE INDEX ix_user_username ON user (username)"
    execute(
        url,
        f"CREATE TABLE user (id {number}, username VARCHAR(80) NOT NULL, email VARCHAR(120) {rule},"
        f" password VARCHAR(200) {rule}, PRIMARY KEY (id){unique}"
        f"{'' if 'index' in variant else ', UNIQUE (username)'}){options}",
        *([index] if "index" in variant else []),
        *(f"INSERT INTO user VALUES ({i}, '{n}', '{e}', '{HASH}')" for i, n, e in people),
    )


def rows(url: str) -> list[tuple[Any, ...]]:
    return select(url, f"SELECT {COLUMNS} FROM user ORDER BY id")


def stored(people: list[tuple[int, str, str]]) -> list[tuple[Any, ...]]:
    return [(*person, HASH) for person in people]


def described(url: str) -> list[str]:
    """Everything the server says of the tables, but the next number to give."""
    if is_sqlite(url):
        found = select(url, "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
        return sorted(_in_order(re.sub(r'["\s]+', " ", sql)) for (sql,) in found)
    return [
        re.sub(r" AUTO_INCREMENT=\d+", "", select(url, f"SHOW CREATE TABLE {table}")[0][1])
        for (table,) in select(url, "SHOW TABLES")
    ]


def _in_order(sql: str) -> str:
    """The statement with its constraints sorted, in whatever order they were made."""
    head, *constraints = re.split(r", (?=CONSTRAINT)", sql.removesuffix(" )"))
    return ", ".join([head, *sorted(constraints)])


@contextmanager
def client_on(url: str, folder: Path) -> Iterator[FlaskClient]:
    app = create_app(make_config(url, folder))
    yield app.test_client()
    close(app)


def logs_in(url: str, folder: Path, *names: str) -> list[int]:
    """The statuses with which these names are let in with the password of everybody here."""
    with client_on(url, folder) as client:
        return [
            client.post("/login", json={"username": n, "password": "dummy1234"}).status_code
            for n in names
        ]


# --- the migrations themselves ---------------------------------------------------------------


def test_the_models_equal_the_migrated_schema(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_file_names_tell_what_alembic_reads_in_the_files() -> None:
    steps = list(ScriptDirectory(str(ROOT / "migrations")).walk_revisions())
    assert revisions() == [step.revision for step in reversed(steps)]


def test_every_table_and_column_has_a_comment(mysql_migrated: str) -> None:
    here = "table_schema = DATABASE()"
    tables = select(
        mysql_migrated,
        f"SELECT table_name, table_comment FROM information_schema.tables WHERE {here}",
    )
    columns = select(
        mysql_migrated,
        f"SELECT column_name, column_comment FROM information_schema.columns WHERE {here}",
    )
    assert {name for name, _ in tables} == {*Base.metadata.tables, "alembic_version"}
    assert [name for name, comment in [*tables, *columns] if not comment] == []


def test_every_table_is_fit_for_distribution(mysql_migrated: str) -> None:
    """Group Replication wants InnoDB and a primary key; Vitess and TiDB run nothing on the server.

    docs/scaling has their rules.
    """
    here = "table_schema = DATABASE()"
    engines = f"SELECT table_name, engine FROM information_schema.tables WHERE {here}"
    keys = f"SELECT table_name FROM information_schema.statistics WHERE {here}"
    tables = {*Base.metadata.tables, "alembic_version"}
    assert dict(select(mysql_migrated, engines)) == dict.fromkeys(tables, "InnoDB")
    assert {
        name for (name,) in select(mysql_migrated, f"{keys} AND index_name = 'PRIMARY'")
    } == tables
    others = f"{keys} AND index_type <> 'BTREE'"
    assert select(mysql_migrated, others) == [], "no FULLTEXT, no SPATIAL"
    for kind, of in {"triggers": "trigger", "routines": "routine", "events": "event"}.items():
        query = f"SELECT * FROM information_schema.{kind} WHERE {of}_schema = DATABASE()"
        assert select(mysql_migrated, query) == []


def test_the_first_columns_are_those_of_the_assignment(mysql_migrated: str) -> None:
    columns = select(mysql_migrated, "SHOW COLUMNS FROM user")[:4]
    assert [(c[0], re.sub(r"int\(\d+\)", "int", c[1])) for c in columns] == [
        ("id", "int"), ("username", "varchar(80)"), ("email", "varchar(120)"),
        ("password", "varchar(200)"),
    ]  # fmt: skip
    assert "auto_increment" in columns[0][5]


def test_every_migration_goes_down_and_up_again_with_rows(
    app: Flask, client: FlaskClient, tokens: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    before, kept = described(database_url), rows(database_url)
    steps = list(ScriptDirectory(str(ROOT / "migrations")).walk_revisions())
    assert len(steps) >= 2
    bind_flask_migrate(app)
    with app.app_context():
        for _ in steps:
            downgrade()
            assert rows(database_url) == kept
        for step in reversed(steps):
            upgrade(revision=step.revision)
            assert rows(database_url) == kept
    assert described(database_url) == before
    assert logs_in(database_url, tmp_path, "dummyuser", "dummy@dummy.com") == [200, 200]


def test_migrating_twice_changes_nothing(bare_database_url: str, tmp_path: Path) -> None:
    migrate_database(bare_database_url, tmp_path)
    before = described(bare_database_url)
    migrate_database(bare_database_url, tmp_path)
    assert described(bare_database_url) == before


# --- sql/loguserapp.sql ------------------------------------------------------------------------


def test_the_sql_file_is_what_the_migrations_say() -> None:
    assert (ROOT / "sql" / "loguserapp.sql").read_text() == dump_sql.sql()


def test_the_sql_file_gives_an_empty_server_the_migrated_schema(
    mysql_server: str, mysql_migrated: str
) -> None:
    with mysql_database(mysql_server) as url:
        at = make_url(url)
        execute(url, f"DROP DATABASE {at.database}")
        sql = (ROOT / "sql" / "loguserapp.sql").read_text()
        connection = pymysql.connect(
            host=at.host, port=at.port or 3306, user=at.username, password=at.password or "",
            client_flag=CLIENT.MULTI_STATEMENTS, autocommit=True,
        )  # fmt: skip
        with connection, connection.cursor() as cursor:
            cursor.execute(re.sub(r"\bloguserapp\b", str(at.database), sql))
            while cursor.nextset():
                pass
        assert described(url) == described(mysql_migrated)
        head = ScriptDirectory(str(ROOT / "migrations")).get_current_head()
        assert select(url, "SELECT version_num FROM alembic_version") == [(head,)]


# --- the first version's table ---------------------------------------------------------------

VARIANTS = [
    "plain", "unique e-mail", "nullable", "index",
    "utf8mb4_general_ci", "utf8mb4_general_ci unique e-mail", "latin1_swedish_ci index",
]  # fmt: skip


@pytest.fixture
def fresh(bare_database_url: str, request: pytest.FixtureRequest) -> list[str]:
    """The schema that a new database gets."""
    if is_sqlite(bare_database_url):
        return described(f"sqlite:///{request.getfixturevalue('sqlite_migrated')}")
    return described(request.getfixturevalue("mysql_migrated"))


@pytest.mark.parametrize(
    ("bare_database_url", "variant"),
    [("sqlite", variant) for variant in VARIANTS if "_ci" not in variant]
    + [("mysql", variant) for variant in VARIANTS],
    indirect=["bare_database_url"],
)
def test_a_table_of_the_first_version_is_taken_over(
    bare_database_url: str, fresh: list[str], tmp_path: Path, variant: str
) -> None:
    first_version(bare_database_url, PEOPLE, variant)
    migrate_database(bare_database_url, tmp_path)
    assert rows(bare_database_url) == stored(PEOPLE)
    assert described(bare_database_url) == fresh
    names = ["bob@example.com", "A\u030aSA O\u0308"]  # in other spellings than they are stored
    assert logs_in(bare_database_url, tmp_path, *names) == [200, 200]


def test_a_number_of_the_first_version_is_not_given_again(
    bare_database_url: str, tmp_path: Path
) -> None:
    first_version(bare_database_url, PEOPLE)
    migrate_database(bare_database_url, tmp_path)
    with client_on(bare_database_url, tmp_path) as client:
        new = DUMMY | {"username": "newcomer", "email": "newcomer@example.com"}
        assert client.post("/register", json=new).get_json()["user"]["id"] > PEOPLE[-1][0]


def test_an_adoption_that_broke_after_any_step_can_be_repeated(
    request: pytest.FixtureRequest, fresh: list[str], bare_database_url: str, tmp_path: Path
) -> None:
    for step in count(1):
        with another_like(bare_database_url, request, tmp_path / f"{step}.db") as url:
            first_version(url, PEOPLE, "index")
            with broken_after(step) as broke:
                try:
                    migrate_database(url, tmp_path)
                except ConnectionError:
                    assert rows(url) == stored(PEOPLE)
            migrate_database(url, tmp_path)
            assert rows(url) == stored(PEOPLE)
            assert described(url) == fresh
        if not broke:
            break
    assert step > 5


@contextmanager
def another_like(url: str, request: pytest.FixtureRequest, path: Path) -> Iterator[str]:
    if is_sqlite(url):
        yield f"sqlite:///{path}"
        return
    with mysql_database(request.getfixturevalue("mysql_server")) as other:
        yield other


@contextmanager
def broken_after(step: int) -> Iterator[list[str]]:
    """Break the connection when so many statements that change something have been done."""
    broke: list[str] = []
    changes = count()

    def listen(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        change = re.match(r"\s*(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE)", statement)
        if change and next(changes) == step:
            broke.append(statement)
            raise ConnectionError(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        yield broke
    finally:
        event.remove(Engine, "before_cursor_execute", listen)


def test_of_several_that_migrate_at_once_each_finds_it_done(
    bare_database_url: str, fresh: list[str], tmp_path: Path
) -> None:
    with ThreadPoolExecutor(4) as pool:
        once = [pool.submit(flask, bare_database_url, tmp_path, "db", "upgrade") for _ in range(4)]
    assert [(done.result().returncode, done.result().stdout) for done in once] == [(0, "")] * 4
    assert described(bare_database_url) == fresh


# --- 0010: who vouches for an identity ----------------------------------------------------------


def before_issuers(url: str, folder: Path) -> None:
    """The tables as they were before `identity.issuer`, with an identity of each provider."""
    migrate_database(url, folder, revision="0009")
    execute(
        url,
        "INSERT INTO user (id, username, username_key) VALUES (1, 'sari', 'sari')",
        *(
            "INSERT INTO identity (user_id, provider, subject, created_at)"
            f" VALUES (1, '{provider}', '{subject}', '2026-01-01')"
            for provider, subject in [
                ("google", "1"), ("facebook", "1"), ("oidc", "1"), ("oidc", "demo-sari"),
                ("google", "demo-sari"),
            ]
        ),
    )  # fmt: skip


UNCONFIGURED = "urn:loguserapp:unconfigured"


@pytest.mark.parametrize(
    ("environment", "google", "oidc"),
    [
        ({}, "https://accounts.google.com", UNCONFIGURED),
        ({"OIDC_ISSUER": ""}, "https://accounts.google.com", UNCONFIGURED),
        (
            {"OIDC_ISSUER": "https://id.example.com/"},
            "https://accounts.google.com",
            "https://id.example.com",
        ),
        (
            {"GOOGLE_DISCOVERY_URL": "https://g.example.com/.well-known/openid-configuration"},
            "https://g.example.com",
            UNCONFIGURED,
        ),
    ],
)
def test_identities_get_the_issuers_of_the_settings(  # noqa: PLR0917
    bare_database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    google: str,
    oidc: str,
) -> None:
    before_issuers(bare_database_url, tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    migrate_database(bare_database_url, tmp_path)
    found = select(bare_database_url, "SELECT provider, subject, issuer FROM identity ORDER BY id")
    assert found == [
        ("google", "1", google),
        ("facebook", "1", "https://www.facebook.com"),
        ("oidc", "1", oidc),
        ("oidc", "demo-sari", "urn:loguserapp:demo"),
        ("google", "demo-sari", google),
    ]


def test_the_issuer_may_stand_in_a_file(
    bare_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_issuers(bare_database_url, tmp_path)
    (tmp_path / "issuer").write_text("https://id.example.com/\n")
    monkeypatch.setenv("OIDC_ISSUER_FILE", str(tmp_path / "issuer"))
    migrate_database(bare_database_url, tmp_path)
    issuers = "SELECT issuer FROM identity WHERE provider = 'oidc' ORDER BY id"
    assert select(bare_database_url, issuers) == [
        ("https://id.example.com",), ("urn:loguserapp:demo",)
    ]  # fmt: skip


def test_giving_identities_their_issuers_can_be_repeated_after_any_step(
    request: pytest.FixtureRequest, fresh: list[str], bare_database_url: str, tmp_path: Path
) -> None:
    for step in count(1):
        with another_like(bare_database_url, request, tmp_path / f"issuer-{step}.db") as url:
            before_issuers(url, tmp_path)
            with broken_after(step) as broke, suppress(ConnectionError):
                migrate_database(url, tmp_path, revision="0010")
            migrate_database(url, tmp_path)
            assert select(url, "SELECT count(*) FROM identity WHERE issuer = ''") == [(0,)]
            assert described(url) == fresh
        if not broke:
            break
    assert step > 5


# --- people who share a name ---------------------------------------------------------------------


def flask(url: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"DATABASE_URL": url, "INSTANCE_PATH": str(folder / "instance")}
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments], check=False, capture_output=True, text=True,
        cwd=ROOT, env=clean_environment() | environment,
    )  # fmt: skip


def assert_refused_unchanged(
    url: str, folder: Path, people: list[tuple[int, str, str]], *words: str, variant: str = ""
) -> None:
    first_version(url, people, variant)
    before = [text for text in described(url) if "user" in text]
    with pytest.raises(SystemExit) as refused:
        migrate_database(url, folder)
    message = str(refused.value)
    assert [word for word in (*words, "Nothing was changed.") if word not in message] == []
    assert "\n" not in message
    assert [text for text in described(url) if "user" in text] == before
    assert rows(url) == stored(people)


def test_two_rows_with_one_email_are_refused_by_name(
    bare_database_url: str, tmp_path: Path
) -> None:
    words = ("twin@example.com (id 1, 3)", "./loguserapp db upgrade -x duplicate-emails=oldest")
    assert_refused_unchanged(bare_database_url, tmp_path, TWINS, *words)


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'first.db'}"
    first_version(url, TWINS)
    refused = flask(url, tmp_path, "db", "upgrade")
    assert refused.returncode != 0
    (message,) = [line for line in refused.stderr.splitlines() if not line.startswith("INFO")]
    assert "twin@example.com (id 1, 3)" in message


def test_the_server_refuses_to_start_on_two_rows_with_one_email(
    bare_database_url: str, tmp_path: Path
) -> None:
    first_version(bare_database_url, TWINS)
    settings = {
        "DATABASE_URL": bare_database_url, "INSTANCE_PATH": str(tmp_path), "PORT": str(free_port()),
    }  # fmt: skip
    started = subprocess.run(
        [sys.executable, "-m", "app.server"], check=False, capture_output=True, text=True,
        cwd=ROOT, timeout=30, env=clean_environment() | settings,
    )  # fmt: skip
    assert started.returncode != 0
    (message,) = started.stderr.splitlines()
    assert "twin@example.com (id 1, 3)" in message


def by_hand(url: str, folder: Path) -> None:
    execute(url, "UPDATE user SET email = 'new@example.com' WHERE id = 3")
    assert flask(url, folder, "db", "upgrade").returncode == 0


def by_flag(url: str, folder: Path) -> None:
    assert flask(url, folder, "db", "upgrade", "-x", "duplicate-emails=oldest").returncode == 0


@pytest.mark.parametrize("settle", [by_hand, by_flag])
def test_a_shared_email_can_be_settled(
    bare_database_url: str,
    fresh: list[str],
    tmp_path: Path,
    settle: Callable[[str, Path], None],
) -> None:
    first_version(bare_database_url, TWINS)
    with pytest.raises(SystemExit):
        migrate_database(bare_database_url, tmp_path)
    settle(bare_database_url, tmp_path)
    assert described(bare_database_url) == fresh
    assert logs_in(bare_database_url, tmp_path, "old", "new") == [200, 200]
    with client_on(bare_database_url, tmp_path) as client:
        sent = {"username": "TWIN@example.com", "password": "dummy1234"}
        assert client.post("/login", json=sent).status_code == 200
    assert select(bare_database_url, "SELECT user_id FROM session ORDER BY id") == [
        (1,), (3,), (1,),
    ]  # fmt: skip


def test_usernames_that_differ_in_case_alone_are_refused_by_name(tmp_path: Path) -> None:
    people = [(1, "Bob", "a@example.com"), (2, "bob", "b@example.com")]
    url = f"sqlite:///{tmp_path / 'first.db'}"  # the first version's MySQL did not allow this
    assert_refused_unchanged(url, tmp_path, people, "bob (id 1, 2)")


def test_usernames_that_differ_in_a_space_at_the_end_are_refused_by_name(
    bare_database_url: str, tmp_path: Path
) -> None:
    people = [(1, "bob", "a@example.com"), (2, "bob ", "b@example.com")]
    # MySQL's default collation minds such a space; of MariaDB's only those of this kind do.
    minds = "" if is_sqlite(bare_database_url) else "utf8mb4_unicode_nopad_ci"
    if minds and not select(bare_database_url, f"SHOW COLLATION LIKE '{minds}'"):
        minds = ""
    assert_refused_unchanged(bare_database_url, tmp_path, people, "bob (id 1, 2)", variant=minds)
