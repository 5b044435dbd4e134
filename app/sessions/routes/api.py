"""Sessions and their tokens in the token API."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC

from flask import Response, request

from app.limits import declared as limits
from app.sessions import checking, ending, listing, refreshing
from app.sessions.forms import LogoutForm
from app.sessions.revocation import revocation_list
from app.sessions.tokens import AccessToken
from app.text import unix
from app.web.errors import simplejwt
from app.web.forms import parse_form, required_strings
from app.web.marks import bearer_only, public
from app.web.negotiation import json_response, origin

blueprint = simplejwt.blueprint


@blueprint.post("/token/refresh")
@public(limit=limits.TOKEN)
def refresh() -> Response:
    """Exchange a refresh token for the next pair."""
    token = required_strings("refresh")["refresh"]
    pair = refreshing.refresh(token, origin())
    return json_response({"access": pair.access_token, "refresh": pair.refresh_token})


@blueprint.post("/token/verify")
@public(limit=limits.TOKEN)
def verify() -> Response:
    """Tell whether a token of either kind is good."""
    token = required_strings("token")["token"]
    checking.verify(token, origin())
    return json_response({})


@blueprint.post("/logout")
@public(limit=limits.TOKEN)
def log_out() -> Response:
    """End the session of a refresh token, its access tokens included."""
    token = parse_form(LogoutForm).token()
    ending.log_out_by_refresh(token)
    return json_response({})


@blueprint.get("/revoked")
@public
def revoked() -> Response:
    """List the revoked sessions, from memory, for back ends that honour a logout."""
    known = revocation_list().published()
    body = f'{{"as_of":{unix(known.as_of)},"revoked":{known.revoked}}}\n'
    response = Response(body, content_type="application/json")
    response.headers["Cache-Control"] = "public, max-age=2"
    response.set_etag(known.etag, weak=True)
    response.date = known.as_of.replace(tzinfo=UTC)  # the new `as_of` of a 304
    response.make_conditional(request)
    return response


@blueprint.get("/sessions")
@bearer_only
def list_sessions(access: AccessToken) -> Response:
    """List the own sessions."""
    own = listing.list_sessions(access.user_id, access.session_id)
    return json_response([simplejwt.timed(asdict(session)) for session in own])


@blueprint.delete("/sessions/<int(max=2147483647):session_id>")
@bearer_only(unlimited="ends a session of the person's own")
def end_session(access: AccessToken, session_id: int) -> Response:
    """End one of the own sessions."""
    ending.revoke(access.user_id, session_id)
    return Response(status=204)
