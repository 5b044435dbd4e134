"""The bounds of an access token: how long it may be, from which second on it is good."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from flask import Flask
from flask.testing import FlaskClient

from app.core.errors import TokenInvalidError
from app.models import utcnow
from app.sessions import tokens
from app.sessions.keys import keyring
from app.sessions.tokens import AccessToken
from app.text import unix
from tests.support.application import assert_problem, bearer

_SIGNATURE_CHARACTERS = 86


def encoded(part: dict[str, object]) -> str:
    return jwt.utils.base64url_encode(json.dumps(part).encode()).decode()


def of_length(characters: int) -> str:
    """A good access token of exactly that many characters."""
    token = tokens.sign_access(1, 1, utcnow() + timedelta(seconds=900))
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    wanted = characters - _SIGNATURE_CHARACTERS - 1
    # No unpadded base64url has a length of 4n + 1; padding in both parts reaches every sum.
    message = next(
        message
        for in_header in range(4)
        for in_claims in range(characters)
        if len(
            message := f"{encoded(header | {'x': 'x' * in_header})}."
            f"{encoded(claims | {'x': 'x' * in_claims})}"
        )
        == wanted
    )
    der = keyring().current().private_key.sign(message.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = utils.decode_dss_signature(der)
    signature = jwt.utils.base64url_encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"{message}.{signature.decode()}"


def test_a_token_of_4096_characters_is_good_and_one_of_4097_is_not(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        longest, too_long = of_length(4096), of_length(4097)
    assert (len(longest), len(too_long)) == (4096, 4097)
    assert client.get("/resource", headers=bearer(longest)).status_code == 200
    refused = client.get("/resource", headers=bearer(too_long))
    assert_problem(refused, 401, "token_invalid")


def test_a_token_is_good_from_the_second_in_which_it_was_made(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        token = tokens.sign_access(1, 1, utcnow() + timedelta(seconds=900))
        access = tokens.read_access(token)
        monkeypatch.setattr(time, "time", lambda: float(access.not_before))
        assert tokens.read_access(token) == access
        monkeypatch.setattr(time, "time", lambda: access.not_before - 0.001)
        with pytest.raises(TokenInvalidError):
            tokens.read_access(token)


def test_what_a_token_says_is_read_as_it_was_signed(app: Flask) -> None:
    end = utcnow() + timedelta(seconds=900)
    with app.app_context():
        began = int(time.time())
        access = tokens.read_access(tokens.sign_access(7, 9, end))
        kid = keyring().current().kid
    assert began <= access.not_before <= time.time()
    assert access == AccessToken(7, 9, access.not_before, unix(end), kid)


def test_a_worker_remembers_4096_tokens(app: Flask) -> None:
    assert tokens.verified_tokens.of(app).cache_info().maxsize == 4096
