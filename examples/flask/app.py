"""A back end that trusts the access tokens of loguserapp."""

from __future__ import annotations

from flask import Flask, g

from loguserapp import token_required

app = Flask(__name__)


@app.get("/resource")
@token_required
def resource() -> dict[str, str]:
    """Answer those who are logged in; `g.user` is the number of the account, as text."""
    return {"message": "akses sukses", "user": g.user}
