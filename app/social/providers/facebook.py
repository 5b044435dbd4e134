"""Facebook: OAuth 2.0 and the Graph API."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from app.config import settings
from app.social.providers import PendingAuthorization
from app.social.providers.base import Provider


class Facebook(Provider):
    """Facebook: OAuth 2.0 and the Graph API. It vouches for no e-mail."""

    def parameters(self, *, again: bool) -> dict[str, str]:
        """Ask for the password again in a confirmation."""
        return {"auth_type": "reauthenticate"} if again else {}

    def is_authoritative(self, domain: str, facts: dict[str, Any]) -> bool:  # noqa: ARG002
        """Facebook issues no e-mail addresses."""
        return False

    def facts(self, token: dict[str, Any], start: PendingAuthorization) -> dict[str, Any]:  # noqa: ARG002
        """Return the person of an access token; `appsecret_proof` ties the request to the app."""
        proof = hmac.new(
            self.client_secret.encode(), token["access_token"].encode(), hashlib.sha256
        ).hexdigest()
        url = f"{settings().facebook_graph_url.rstrip('/')}/me"
        asked = {"fields": "id,name,email", "appsecret_proof": proof}
        answer = self.get(url, token=token, params=asked)
        answer.raise_for_status()
        facts: dict[str, Any] = answer.json()
        return {"sub": facts["id"], "email": facts.get("email"), "name": facts.get("name")}
