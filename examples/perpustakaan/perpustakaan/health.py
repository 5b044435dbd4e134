"""Health: the process lives, and it can serve."""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from perpustakaan.config import MIGRATIONS
from perpustakaan.database import db
from perpustakaan.problems import Unavailable


def init_app(app: Flask) -> None:
    """Add `/healthz` and `/readyz`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    head = ScriptDirectory.from_config(config).get_current_head()

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Answer while the process lives; no database is needed."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> dict[str, str]:
        """Answer while the database answers and has every migration."""
        try:
            found = db.session.scalar(text("SELECT version_num FROM alembic_version"))
        except SQLAlchemyError:
            db.session.rollback()
            raise Unavailable from None
        if found != head:
            raise Unavailable
        return {"status": "ok"}
