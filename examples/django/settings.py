"""Settings of a small Django program that trusts the access tokens of loguserapp."""

import os
import secrets
from pathlib import Path

# The PUBLIC_URL of the service, and where this program reaches it.
LOGUSERAPP_URL = os.environ.get("LOGUSERAPP_URL", "http://127.0.0.1:5000").rstrip("/")
LOGUSERAPP_INTERNAL_URL = os.environ.get("LOGUSERAPP_INTERNAL_URL", LOGUSERAPP_URL).rstrip("/")
LOGUSERAPP_REVOKED_URL = f"{LOGUSERAPP_INTERNAL_URL}/api/auth/revoked/"

SIMPLE_JWT = {
    "ALGORITHM": "ES256",
    "SIGNING_KEY": "",  # this program signs nothing
    "JWK_URL": f"{LOGUSERAPP_INTERNAL_URL}/.well-known/jwks.json",
    "ISSUER": LOGUSERAPP_URL,
    "AUDIENCE": LOGUSERAPP_URL,
    "LEEWAY": 150,
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["loguserapp.Authentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "loguserapp.problem",
}

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(__file__).with_name("db.sqlite3"),
    }
}
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost").split(",")
# Nothing here is signed with it; set it where you add sessions or forms.
SECRET_KEY = os.environ.get("SECRET_KEY") or secrets.token_urlsafe(50)
USE_TZ = True
