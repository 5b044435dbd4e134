"""The Flask extensions: created here, bound to an application in `create_app`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app
from flask_babel import Babel
from flask_bcrypt import Bcrypt
from flask_jwt_extended import JWTManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from werkzeug.local import LocalProxy

if TYPE_CHECKING:
    from authlib.integrations.flask_client import OAuth


db = SQLAlchemy(session_options={"expire_on_commit": False})
bcrypt = Bcrypt()
jwt = JWTManager()
csrf = CSRFProtect()
babel = Babel()
# One for each application: a shared object would keep the clients of the first one.
oauth: OAuth = LocalProxy(lambda: current_app.extensions["authlib.integrations.flask_client"])
