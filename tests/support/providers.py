"""Providers for tests: oidc-provider-mock and a small Graph server, both able to misbehave."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import flask
import jwt
from authlib.deprecate import AuthlibDeprecationWarning
from cryptography.hazmat.primitives.asymmetric import rsa
from werkzeug.serving import ThreadedWSGIServer

with warnings.catch_warnings():  # it uses a part of Authlib that is to be removed one day
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    import oidc_provider_mock

SECRET = "the app's secret"


class Misbehaviour:
    """What is wrong with a provider just now: nothing, or at which path it does what.

    Attributes:
        faults: by the end of a path: "500", "garbage", "list", "hang" or a response to give.
        seen: every request: its path and its fields.

    """

    def __init__(self) -> None:
        self.faults: dict[str, Any] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()

    def answer(self) -> Any:
        """Note the request, and what is wrong with the answer to it, if anything."""
        self.seen.append((flask.request.path, flask.request.values.to_dict()))
        for path, fault in self.faults.items():
            if flask.request.path.endswith(path):
                return self._wrong(fault)
        return None

    def _wrong(self, fault: Any) -> Any:
        if fault == "hang":
            self.released.wait(60)
        answers = {
            "500": ("a trace", 500), "hang": ("late", 500), "garbage": ("<html>\0", 200),
            "list": ("[1]", 200, {"Content-Type": "application/json"}),
            "empty": ("{}", 200, {"Content-Type": "application/json"}),
        }  # fmt: skip
        return answers.get(fault, fault) if isinstance(fault, str) else fault

    def good(self) -> None:
        """Behave again, and let go of whoever waits."""
        self.faults.clear()
        self.released.set()
        self.released = threading.Event()

    def times(self, path: str) -> int:
        return sum(seen.endswith(path) for seen, _ in self.seen)


class OpenIDMock(Misbehaviour):
    """oidc-provider-mock, whose ID tokens can be forged and which checks PKCE.

    Attributes:
        forge: changes the claims of the next ID tokens.
        key: signs them in place of the provider's own key.
        url: where it is served.
        iss: what the answer to the browser says of who sends it (RFC 9207).

    """

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.forge: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self.key: Any = None
        self.algorithm = "RS256"
        self.iss: str | None = None
        self._challenges: dict[str, str] = {}
        self.app = oidc_provider_mock.app(require_nonce=True)
        self.app.before_request(self.answer)
        self.app.before_request(self._check_pkce)
        self.app.after_request(self._changed)

    def good(self) -> None:
        super().good()
        self.forge = self.key = self.iss = None
        self.algorithm = "RS256"

    def person(self, subject: str, **claims: Any) -> str:
        """Let somebody have an account there, with these claims."""
        with self.app.test_client() as client:
            client.put(f"/users/{subject}", json=claims)
        return subject

    def _check_pkce(self) -> Any:
        request = flask.request
        if (
            request.path.endswith("/authorize")
            and request.args.get("code_challenge_method") != "S256"
        ):
            return "no PKCE", 400
        if request.path.endswith("/token"):
            verifier = request.form.get("code_verifier", "").encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest())
            if self._challenges.get(request.form.get("code", "")) != digest.rstrip(b"=").decode():
                return {"error": "invalid_grant"}, 400
        return None

    def _changed(self, response: flask.Response) -> flask.Response:
        location = response.headers.get("Location", "")
        if "code=" in location:
            code = location.partition("code=")[2].partition("&")[0]
            self._challenges[code] = flask.request.args["code_challenge"]
        if location and self.iss:
            response.headers["Location"] = f"{location}&{urlencode({'iss': self.iss})}"
        if flask.request.path.endswith("/token") and response.is_json and self.forge:
            body = response.get_json()
            if "id_token" in body:
                body["id_token"] = self._forged(body["id_token"], self.forge)
                response.set_data(json.dumps(body))
        return response

    def _forged(self, token: str, forge: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
        claims = jwt.decode(token, options={"verify_signature": False})
        header = jwt.get_unverified_header(token)
        # Positional: the keyword depends on the version of the mock, and that on the Python.
        own = flask.g.oidc_provider_mock_storage.jwk.as_dict(True)
        key = jwt.PyJWK(own | {"alg": "RS256"}).key if self.key is None else self.key
        kept = {name: header[name] for name in ("kid",) if name in header}
        return jwt.PyJWS().encode(json.dumps(forge(claims)).encode(), key, self.algorithm, kept)


class GraphMock(Misbehaviour):
    """Facebook's dialog, its token endpoint and `/me`, as far as a login needs them.

    Attributes:
        url: where it is served.
        people: what `/me` says, by the name on the button of the dialog.

    """

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.people: dict[str, dict[str, str]] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self.app = flask.Flask("graph")
        self.app.before_request(self.answer)
        self.app.add_url_rule("/dialog/oauth", view_func=self.dialog, methods=["GET", "POST"])
        self.app.add_url_rule(
            "/v1.0/oauth/access_token", view_func=self.access_token, methods=["POST"]
        )
        self.app.add_url_rule("/v1.0/me", view_func=self.me)

    def dialog(self) -> Any:
        asked = flask.request.args
        if flask.request.method == "GET":
            buttons = "".join(
                f'<button name="who" value="{who}">{who}</button>' for who in self.people
            )
            return (
                f'<form method="post">{buttons}<button name="who" value="">Cancel</button></form>'
            )
        who = flask.request.form["who"]
        if not who:
            answer = {"error": "access_denied", "error_reason": "user_denied"}
        else:
            code = f"code-{len(self._codes)}-{time.monotonic_ns()}"
            self._codes[code] = {"who": who, "redirect_uri": asked["redirect_uri"]}
            answer = {"code": code}
        query = urlencode(answer | {"state": asked["state"]})
        return flask.redirect(f"{asked['redirect_uri']}?{query}#_=_")

    def access_token(self) -> Any:
        sent = flask.request.form
        kept = self._codes.pop(sent.get("code", ""), None)
        if (
            kept is None
            or sent["client_secret"] != SECRET
            or kept["redirect_uri"] != sent["redirect_uri"]
        ):
            return {"error": {"type": "OAuthException", "code": 100, "message": "no"}}, 400
        return {"access_token": f"EAA-{kept['who']}", "token_type": "bearer", "expires_in": 5183944}

    def me(self) -> Any:
        token = flask.request.headers["Authorization"].removeprefix("Bearer ")
        proof = hmac.new(SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
        if (
            flask.request.args.get("appsecret_proof") != proof
            or "access_token" in flask.request.args
        ):
            return {"error": {"type": "GraphMethodException", "message": "no proof"}}, 400
        facts = self.people[token.removeprefix("EAA-")]
        asked = flask.request.args["fields"].split(",")
        return {name: facts[name] for name in asked if name in facts}


@contextmanager
def serving(app: flask.Flask) -> Iterator[str]:
    """Serve an application on a free port of this machine."""
    server = ThreadedWSGIServer("localhost", 0, app)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def another_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)
