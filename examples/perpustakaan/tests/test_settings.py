"""Settings from the environment, from files and generated; and the public address."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from conftest import settings_for
from flask import Flask, request, url_for

from perpustakaan import create_app
from perpustakaan.config import ConfigError, load_settings
from perpustakaan.database import db


def test_nothing_needs_to_be_set(tmp_path: Path) -> None:
    found = load_settings({"INSTANCE_PATH": str(tmp_path / "new")})
    assert str(found["SQLALCHEMY_DATABASE_URI"]) == f"sqlite:///{tmp_path}/new/perpustakaan.db"
    assert found["APP_URL"] == "http://127.0.0.1:8006"
    assert found["LOGUSERAPP_INTERNAL_URL"] == found["LOGUSERAPP_URL"] == "http://127.0.0.1:5000"
    assert str(found["TIMEZONE"]) == "Asia/Jakarta"
    assert len(found["SECRET_KEY"]) >= 32
    again = load_settings({"INSTANCE_PATH": str(tmp_path / "new")})
    assert again["SECRET_KEY"] == found["SECRET_KEY"]
    key = tmp_path / "new" / "secret_key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert list(key.parent.iterdir()) == [key]


def test_another_port_is_another_address(tmp_path: Path) -> None:
    found = load_settings({"INSTANCE_PATH": str(tmp_path), "PORT": "9000"})
    assert found["APP_URL"] == "http://127.0.0.1:9000"


def test_each_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("mysql://u:p@db/perpustakaan\n", encoding="utf-8")
    found = load_settings({"DATABASE_URL_FILE": str(file), "SECRET_KEY": "s" * 32})
    url = found["SQLALCHEMY_DATABASE_URI"]
    assert url.drivername == "mysql+pymysql"
    assert url.query["charset"] == "utf8mb4"


@pytest.mark.parametrize(
    "wrong",
    [
        {"DATABASE_URL": "nonsense"}, {"DATABASE_URL": "postgresql://u@h/d"},
        {"DATABASE_URL_FILE": "/nowhere"},
        {"SECRET_KEY": "short"}, {"SECRET_KEY_FILE": "/nowhere"},
        {"APP_URL": "perpustakaan"}, {"APP_URL": "ftp://host"}, {"APP_URL": "http://host/?a=1"},
        {"APP_URL": "http://"}, {"APP_URL": "http://host:x"}, {"APP_URL": "http://u:p@host"},
        {"LOGUSERAPP_URL": "http://host#x"}, {"LOGUSERAPP_URL": "javascript:alert(1)"},
        {"LOGUSERAPP_URL": "http://host; script-src *"}, {"APP_URL": "http://host/a b"},
        {"LOGUSERAPP_INTERNAL_URL": "nginx:8080"},
        {"TIMEZONE": "Asia/Nowhere"}, {"TIMEZONE": "Asia"}, {"TIMEZONE": "/etc/passwd"},
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, wrong: dict[str, str]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"^{name.removesuffix('_FILE')}: "):
        load_settings({"INSTANCE_PATH": str(tmp_path)} | wrong)


@pytest.fixture
def prefixed(sqlite_url: str) -> Flask:
    app = create_app(settings_for(sqlite_url, APP_URL="https://example.org/perpustakaan"))

    @app.get("/probe")
    def probe() -> dict[str, str]:
        return {
            "book": url_for("api.get_book", book_id=1),
            "url": request.url,
            "path": request.path,
        }

    return app


@pytest.mark.parametrize("path", ["/perpustakaan/probe", "/probe"])
def test_links_have_the_prefix_and_the_host_header_is_not_believed(
    prefixed: Flask, path: str
) -> None:
    answer = prefixed.test_client().get(path, headers={"Host": "evil.example"})
    assert answer.get_json() == {
        "book": "/perpustakaan/api/books/1",
        "url": "https://example.org/perpustakaan/probe",
        "path": "/probe",
    }


def test_a_path_that_only_begins_like_the_prefix(prefixed: Flask) -> None:
    assert prefixed.test_client().get("/perpustakaanx/healthz").status_code == 404
    with prefixed.app_context():
        db.engine.dispose()


def test_the_description_names_the_public_address(prefixed: Flask) -> None:
    document = prefixed.test_client().get("/perpustakaan/openapi.json").get_json()
    assert document["servers"] == [{"url": "https://example.org/perpustakaan"}]


def test_every_answer_has_the_headers(prefixed: Flask) -> None:
    client = prefixed.test_client()
    for path in ("/healthz", "/api/books", "/api/nothing", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff"
    with prefixed.app_context():
        db.engine.dispose()
