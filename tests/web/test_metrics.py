"""/metrics: names by Prometheus' conventions, labels that clients cannot make more of."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from app import create_app
from app.models import utcnow
from tests.support.databases import execute, make_config
from tests.support.environment import ROOT, free_port

PAGE = (ROOT / "docs" / "logs" / "README.md").read_text()


def value(client: FlaskClient, sample: str, **labels: str) -> float:
    """Of a sample in the answer of /metrics; 0 where there is none."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    found = [
        each.value
        for family in families
        for each in family.samples
        if each.name == sample and each.labels == labels
    ]
    return sum(found)


def test_a_request_is_counted_and_timed(client: FlaskClient) -> None:
    labels = {"method": "GET", "endpoint": "meta.health", "status": "200"}
    counted = value(client, "http_requests_total", **labels)
    timed = value(client, "http_request_seconds_count", endpoint="meta.health")
    client.get("/healthz")
    assert value(client, "http_requests_total", **labels) == counted + 1
    assert value(client, "http_request_seconds_count", endpoint="meta.health") == timed + 1


def test_no_client_makes_labels_of_its_own(client: FlaskClient) -> None:
    labels = {"method": "other", "endpoint": "none", "status": "404"}
    counted = value(client, "http_requests_total", **labels)
    client.open("/nowhere", method="BREW")
    client.open("/elsewhere", method="STEEP")
    assert value(client, "http_requests_total", **labels) == counted + 2


def test_names_follow_the_conventions_and_are_documented(client: FlaskClient) -> None:
    client.get("/healthz")
    listed = dict(re.findall(r"^\| `((?:http|mail)_\w+)` \| (\w+) \|", PAGE, re.MULTILINE))
    families = text_string_to_metric_families(client.get("/metrics").text)
    # Where one process counts alone, the library adds when each figure began.
    beginnings = ("http_", "mail_")
    own = [f for f in families if f.name.startswith(beginnings) and "_created" not in f.name]
    # The parser takes `_total` off the name of a counter.
    names = {f.name + ("_total" if f.type == "counter" else ""): f.type for f in own}
    assert names == listed
    for name, kind in names.items():
        ends = {"counter": "_total", "histogram": "_seconds", "gauge": "_length _seconds"}
        assert name.endswith(tuple(ends[kind].split()))


def test_the_queue_of_mails_is_counted_and_dated(
    client: FlaskClient, dummy: dict[str, str], database_url: str
) -> None:
    execute(database_url, "DELETE FROM outbox")
    assert value(client, "mail_queue_length") == value(client, "mail_queue_oldest_seconds") == 0
    for email in ("a@example.com", "b@example.com"):
        asked = client.post("/api/auth/password/reset/", json={"email": email})
        assert asked.status_code == 202
    an_hour_ago = utcnow() - timedelta(hours=1)
    first = "(SELECT min(id) FROM outbox)"
    execute(database_url, f"UPDATE outbox SET created_at = '{an_hour_ago}' WHERE id = {first}")
    assert value(client, "mail_queue_length") == 2
    assert 3600 <= value(client, "mail_queue_oldest_seconds") < 3660


def test_the_queue_says_nothing_while_the_database_is_away(tmp_path: Path) -> None:
    nowhere = f"mysql+pymysql://root@127.0.0.1:{free_port()}/loguserapp"
    client = create_app(make_config(nowhere, tmp_path / "instance")).test_client()
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert "mail_queue" not in answer.text
    assert "http_requests_total" in answer.text


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url
