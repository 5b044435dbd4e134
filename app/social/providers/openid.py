"""Google and every other provider of OpenID Connect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from app.config import DISCOVERY, settings
from app.social.errors import ProviderFaultError
from app.social.providers import PendingAuthorization
from app.social.providers.base import FAULTS, Provider

# Seconds. With this `max_age` the provider returns `auth_time` and asks the person for nothing.
_ANY_AGE = 315_360_000
# Asymmetric signatures alone: with HMAC, every holder of the client secret could sign.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
# The members of the provider's metadata that are used; Authlib would pass on all of them.
_NEEDED = {"authorization_endpoint", "token_endpoint", "jwks_uri"}
_ENDPOINTS = _NEEDED | {"userinfo_endpoint"}
_DESCRIPTION = (
    *_ENDPOINTS, "issuer", "jwks", "_loaded_at", "authorization_response_iss_parameter_supported",
)  # fmt: skip


class OpenIDProvider(Provider):
    """Google and every other provider of OpenID Connect."""

    @property
    def issuer(self) -> str:
        """The issuer that the metadata must name: its address without the suffix."""
        return cast("str", self._server_metadata_url).removesuffix(DISCOVERY)

    def load_server_metadata(self) -> dict[str, Any]:
        """Return the provider's metadata, reduced to what is used (OpenID Connect Discovery §3).

        Raises:
            ProviderFaultError: the issuer is another one, or an endpoint is missing, or uses HTTP
                under an HTTPS issuer.

        """
        whole = super().load_server_metadata()
        found = {name: whole[name] for name in _DESCRIPTION if name in whole}
        issuer = found.get("issuer")
        scheme = "https://" if self.issuer.startswith("https://") else "http"
        usable = isinstance(issuer, str) and issuer.rstrip("/") == self.issuer
        for name in _NEEDED | (_ENDPOINTS & found.keys()):
            usable = usable and str(found.get(name)).startswith(scheme)
        if not usable:
            self.server_metadata.clear()
            raise ProviderFaultError("description")
        offered = whole.get("id_token_signing_alg_values_supported") or ["RS256"]
        found["id_token_signing_alg_values_supported"] = [
            algorithm for algorithm in _ALGORITHMS if algorithm in offered
        ] or ["RS256"]  # an empty list would let Authlib take any
        methods = whole.get("token_endpoint_auth_methods_supported")
        if methods and "client_secret_basic" not in methods:
            found["token_endpoint_auth_method"] = "client_secret_post"
        return found

    def check_sender(self, arguments: Mapping[str, str]) -> None:
        """Refuse an answer of another issuer, or without the `iss` that the metadata promises."""
        described = self.load_server_metadata()
        sender = arguments.get("iss")
        promised = described.get("authorization_response_iss_parameter_supported") is True
        if (sender is not None or promised) and sender != described["issuer"]:
            raise ProviderFaultError("iss")

    def parameters(self, *, again: bool) -> dict[str, str]:
        """Ask for `auth_time`, which comes with `max_age` alone (OpenID Connect Core §3.1.2.1)."""
        if again:
            return {"prompt": "login", "max_age": "0"}
        return {"max_age": str(_ANY_AGE)}

    def is_authoritative(self, domain: str, facts: dict[str, Any]) -> bool:  # noqa: ARG002
        """Tell whether the settings name the domain."""
        return domain in settings().oidc_verified_domains

    def facts(self, token: dict[str, Any], start: PendingAuthorization) -> dict[str, Any]:
        """Return the claims of the ID token; an e-mail may be in the UserInfo response alone."""
        described = self.load_server_metadata()
        must = {
            "iss": {"essential": True, "value": described["issuer"]},
            "aud": {"essential": True, "value": self.client_id},
            "nonce": {"essential": True, "value": start.nonce},
        }
        try:
            claims = self.parse_id_token(token, nonce=start.nonce, claims_options=must)
        except FAULTS:
            self.server_metadata.pop("jwks", None)  # the keys may be what is wrong
            raise
        if claims is None:
            raise ProviderFaultError("no ID token")
        facts = dict(claims)
        if "email" not in facts and "userinfo_endpoint" in described:
            facts = dict(self.userinfo(token=token))
            if facts.get("sub") != claims["sub"]:
                raise ProviderFaultError("sub")
        return facts | {"auth_time": claims.get("auth_time")}


class Google(OpenIDProvider):
    """Google, which gives no `auth_time` unless a contract says so, and knows no `prompt=login`."""

    def parameters(self, *, again: bool) -> dict[str, str]:
        """Let the person choose the account in a confirmation."""
        return {"prompt": "select_account"} if again else {}

    def is_authoritative(self, domain: str, facts: dict[str, Any]) -> bool:
        """Tell whether the domain is Google's own, or the organisation (`hd`) that Google hosts."""
        return domain == "gmail.com" or domain == facts.get("hd")
