"""Django REST framework with SimpleJWT: users in SQLite, bcrypt as everywhere here.

With BENCH_MYSQL everything is in that MySQL: a refresh token rotates, and the one before is put on
the blacklist.
"""

import os
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import path


def database() -> dict[str, Any]:
    url = urlsplit(os.environ.get("BENCH_MYSQL", ""))
    if not url.hostname:
        file = os.path.join(os.environ["BENCH_FOLDER"], "django.db")  # noqa: PTH118
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": file}
    import pymysql

    pymysql.version_info = (2, 2, 7, "final", 0)  # Django asks for mysqlclient's version
    pymysql.install_as_MySQLdb()
    return {
        "ENGINE": "django.db.backends.mysql", "NAME": url.path[1:], "HOST": url.hostname,
        "PORT": url.port, "USER": url.username, "PASSWORD": url.password or "",
        "CONN_MAX_AGE": None,  # connections are kept, as Django advises
    }  # fmt: skip


settings.configure(
    SECRET_KEY="a benchmark's secret, long enough for HS256",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
    ],
    DATABASES={"default": database()},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.BCryptSHA256PasswordHasher"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework_simplejwt.authentication.JWTAuthentication"
        ]
    },
    SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - Django wants its settings first
from rest_framework.decorators import api_view, permission_classes  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView  # noqa: E402


@api_view(["GET"])
@permission_classes([IsAuthenticated])
def resource(_request: Request) -> Response:
    return Response({"message": "akses sukses"})


urlpatterns = [
    path("login", TokenObtainPairView.as_view()),
    path("resource", resource),
    path("api/auth/login/", TokenObtainPairView.as_view()),
    path("api/auth/token/refresh/", TokenRefreshView.as_view()),
]
application = get_wsgi_application()

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    User.objects.create_user("bench", password="correct horse battery")
