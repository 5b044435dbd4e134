"""A Django back end with SimpleJWT that trusts the service by its public keys alone.

simplejwt_backend.py <service> <access> <refresh>: prints whom it sees and what it does with the
refresh token.
"""

import json
import secrets
import sys

import django
from django.conf import settings

url, access, refresh = sys.argv[1:]
settings.configure(
    SECRET_KEY=secrets.token_hex(),
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework_simplejwt",
    ],
    SIMPLE_JWT={
        "ALGORITHM": "ES256",
        "SIGNING_KEY": "",
        "JWK_URL": f"{url}/.well-known/jwks.json",
        "AUDIENCE": url,
        "ISSUER": url,
    },
)
django.setup()

from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication  # noqa: E402
from rest_framework_simplejwt.exceptions import InvalidToken  # noqa: E402

backend = JWTStatelessUserAuthentication()
user = backend.get_user(backend.get_validated_token(access.encode()))
try:
    backend.get_validated_token(refresh.encode())
    verdict = "accepted"
except InvalidToken:
    verdict = "refused"
print(json.dumps([user.id, verdict]))  # noqa: T201
