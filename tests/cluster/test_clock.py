"""The clock of one web server is five minutes off: what it wrongly accepts and refuses.

Nothing is wrong for longer than the clock is wrong:

- a server that is ahead issues access tokens that no other one takes for five minutes (`nbf`), and
  refuses those of others five minutes before their end;
- a server that is behind takes no access token of others for their first five minutes, and takes
  an expired one for five minutes more;
- the same holds for refresh tokens in their first five minutes (`iat`): they are refused where
  they are still to come, which ends nothing, but the person must log in again or come back later;
- logouts are told by number, not by time: every server knows of them within two seconds;
- rotation is told by number too: one lineage, whichever servers a token and its repetition reach.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.client import claims
from tests.cluster.cluster import FILE, Cluster
from tests.cluster.workload import REVOKED_WITHIN
from tests.support.environment import missing, wait_until
from tests.support.http import Answer, once

pytestmark = pytest.mark.cluster
OFF = 300
SLACK = 10  # for what a busy machine needs between two looks at the clock
# Of the server that is behind; the shorter it is, the sooner a token of it has expired elsewhere.
BEHIND_TTL = OFF + 20
LIBRARY = "libfaketimeMT.so.1"
OVERRIDE = """
services:
  web-ahead: &off
    extends: {{file: compose.yml, service: web}} # that of the first file's folder
    deploy: {{replicas: 1}}
    volumes: ["{folder}:/faketime:ro", "./clock:/clock:ro"]
    environment: &clock
      LD_PRELOAD: /faketime/{library}
      PYTHONPATH: /clock
      FAKETIME: "+{off}s"
      FAKETIME_DONT_FAKE_MONOTONIC: "1"
  web-behind:
    <<: *off
    environment:
      <<: *clock
      FAKETIME: "-{off}s"
      ACCESS_TOKEN_TTL: "{ttl}"
"""
# time.sleep() waits for a moment of the monotonic clock, which the library takes for one of the
# clock that it fakes, and refuses. Python reads this at its start, from the folder in PYTHONPATH.
SLEEP = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds)\n"
PERSON = {"username": "punctual", "email": "p@example.com", "password": "correct horse battery"}


@dataclass
class Servers:
    """A web server of each clock, asked directly."""

    right: str
    ahead: str
    behind: str

    def all(self) -> dict[str, str]:
        return {"right": self.right, "ahead": self.ahead, "behind": self.behind}


@pytest.fixture(scope="module")
def servers(files: Path, cluster: Cluster) -> Iterator[Servers]:
    """Two more servers whose clocks are wrong, beside those of the cluster."""
    found = sorted(Path("/usr/lib").glob(f"*/faketime/{LIBRARY}"))
    if not found:
        missing("libfaketime")
    override = OVERRIDE.format(folder=found[0].parent, library=LIBRARY, off=OFF, ttl=BEHIND_TTL)
    (files / "clocks.yml").write_text(override)
    clock = files / "deploy" / "cluster" / "clock"
    clock.mkdir(exist_ok=True)
    (clock / "sitecustomize.py").write_text(SLEEP)
    cluster.until_whole()
    own = {"COMPOSE_FILE": f"{FILE}:clocks.yml"}
    services = ("web-ahead", "web-behind")
    try:
        cluster.run(
            "docker", "compose", "up", "-d", "--no-deps", "--no-recreate", "--wait", *services,
            more=own,
        )  # fmt: skip
        once(cluster.url, "POST", "/register", **PERSON)
        yield Servers(*(_address(cluster, name, own) for name in ("web", *services)))
    finally:
        cluster.run("docker", "compose", "rm", "-sf", *services, more=own, check=False)


def _address(cluster: Cluster, service: str, own: dict[str, str]) -> str:
    container = cluster.run("docker", "compose", "ps", "-q", service, more=own).stdout.split()[0]
    networks = cluster.inspect(container)["NetworkSettings"]["Networks"]
    return f"http://{networks[f'{cluster.name}_front']['IPAddress']}:5000"


def log_in(server: str) -> dict[str, str]:
    tokens: dict[str, str] = once(server, "POST", "/api/auth/login/", **PERSON).json()
    return tokens


def resource(server: str, token: str) -> tuple[int, str]:
    answer = once(server, "GET", "/resource", token)
    return answer.status, answer.json().get("code", "")


def refresh(server: str, token: str) -> Answer:
    return once(server, "POST", "/api/auth/token/refresh/", refresh=token)


def log_out(server: str, token: str) -> int:
    return once(server, "POST", "/api/auth/logout/", refresh=token).status


def test_the_clocks_are_off(servers: Servers) -> None:
    issued = {name: claims(log_in(url)["access"])["iat"] for name, url in servers.all().items()}
    off = {name: at - time.time() for name, at in issued.items()}
    assert abs(off["right"]) < SLACK
    assert abs(off["ahead"] - OFF) < SLACK
    assert abs(off["behind"] + OFF) < SLACK


@pytest.mark.parametrize(
    ("issuer", "refused_by"),
    [
        ("right", {"behind": "token_invalid"}),  # it begins at a moment that is still to come there
        ("ahead", {"right": "token_invalid", "behind": "token_invalid"}),
        ("behind", {"ahead": "token_expired"}),  # it has less than five minutes left
    ],
)
def test_access_tokens(servers: Servers, issuer: str, refused_by: dict[str, str]) -> None:
    token = log_in(servers.all()[issuer])["access"]
    answers = {name: resource(url, token) for name, url in servers.all().items()}
    assert {name: code for name, (status, code) in answers.items() if status != 200} == refused_by
    said: dict[str, Any] = claims(token)
    assert said["nbf"] - time.time() <= OFF + SLACK


def test_an_expired_token_passes_where_the_clock_is_behind(servers: Servers) -> None:
    token = log_in(servers.behind)["access"]
    expired, seconds = (401, "token_expired"), BEHIND_TTL - OFF + SLACK
    wait_until(lambda: resource(servers.right, token) == expired, "the token's end", seconds)
    assert resource(servers.ahead, token) == expired
    assert resource(servers.behind, token)[0] == 200
    until = claims(token)["exp"] + OFF  # by a right clock
    assert until - time.time() < OFF


# Who takes a refresh token of whom in its first five minutes: `iat` must not be still to come.
TAKES = {"right": {"right", "ahead"}, "ahead": {"ahead"}, "behind": {"right", "ahead", "behind"}}
TAKEN = [(issuer, at) for issuer, takers in TAKES.items() for at in sorted(takers)]
NOT_TAKEN = [("right", "behind"), ("ahead", "right"), ("ahead", "behind")]


@pytest.mark.parametrize(("issuer", "at"), TAKEN)
def test_a_logout_counts_everywhere_within_two_seconds(
    servers: Servers, issuer: str, at: str
) -> None:
    tokens = log_in(servers.all()[issuer])
    accepting = [url for url in servers.all().values() if resource(url, tokens["access"])[0] == 200]
    assert log_out(servers.all()[at], tokens["refresh"]) == 200
    refused = (401, "token_revoked")
    wait_until(
        lambda: all(resource(url, tokens["access"]) == refused for url in accepting),
        "every server to know", REVOKED_WITHIN,
    )  # fmt: skip
    for url in servers.all().values():
        assert refresh(url, tokens["refresh"]).status == 401


@pytest.mark.parametrize(("issuer", "at"), NOT_TAKEN)
def test_a_refresh_token_is_refused_before_its_time_and_its_session_lives(
    servers: Servers, issuer: str, at: str
) -> None:
    token = log_in(servers.all()[issuer])["refresh"]
    assert refresh(servers.all()[at], token).status == 401
    assert log_out(servers.all()[at], token) == 401
    assert claims(token)["iat"] - time.time() < OFF + SLACK, "for five minutes"
    assert refresh(servers.all()[issuer], token).status == 200, "nothing has ended"


@pytest.mark.parametrize("second", ["right", "ahead", "behind"])
@pytest.mark.parametrize("first", ["right", "ahead", "behind"])
def test_one_lineage(servers: Servers, first: str, second: str) -> None:
    if {first, second} == {"ahead", "behind"}:
        pytest.skip("two servers whose clocks are wrong")
    token = log_in(servers.behind)["refresh"]  # which every server takes
    one, other = (refresh(servers.all()[name], token) for name in (first, second))
    assert (one.status, other.status) == (200, 200)
    assert one.json()["refresh"] == other.json()["refresh"], "the identical successor"
    following = refresh(servers.ahead, one.json()["refresh"])
    assert following.status == 200
    assert claims(following.json()["refresh"])["rotation"] == 2
