"""A request for a reset takes the same time whether the e-mail has an account or not."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.application import DUMMY
from tests.support.databases import execute
from tests.support.mails import delivered

pytestmark = pytest.mark.alone

RESET, CONFIRM = "/api/auth/password/reset/", "/api/auth/password/reset/confirm/"
SAMPLES = 200
MOST = 0.10


@pytest.mark.parametrize("path", [RESET, CONFIRM])
def test_the_medians_of_known_and_unknown_are_alike(
    make_app: Callable[..., Flask], database_url: str, path: str
) -> None:
    # Limits are off: beyond one mail a minute both kinds write nothing, and would be alike anyway.
    app = make_app()
    client = app.test_client()
    client.post("/register", data=DUMMY)
    times: dict[str, list[float]] = {DUMMY["email"]: [], "nobody@dummy.com": []}
    for email in times:
        client.post(RESET, json={"email": email})
    delivered(app)
    for number in range(SAMPLES + 10):
        if path == CONFIRM:  # else the five tries are used up, and nothing more is written
            execute(database_url, "UPDATE one_time SET tries = 0")
        pair = list(times.items())
        for email, taken in pair if number % 2 else reversed(pair):  # neither is always the first
            body = {"email": email, "code": "BBBBBBBB", "new_password": "kambing hitam besar"}
            began = time.perf_counter()
            answer = client.post(path, json=body)
            taken.append(time.perf_counter() - began)
            assert answer.status_code == (202 if path == RESET else 400), number
    known, unknown = (taken[10:] for taken in times.values())
    # Of pairs, since a busy moment of the machine slows both of a pair.
    gap = statistics.median(one - other for one, other in zip(known, unknown, strict=True))
    usual = statistics.median(known)
    # For `pytest -rP`, and for whoever looks into a failure.
    print(f"{usual * 1000:.2f} ms, known takes {gap * 1000:+.2f} ms longer")  # noqa: T201
    assert abs(gap) < usual * MOST
