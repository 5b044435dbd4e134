"""`identity.issuer`: a subject identifies a person only together with its issuer.

Rows that exist are given the issuer of today's settings. Where a provider is not configured any
more, its rows get an issuer that no setting can name: they stay visible and open nothing.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

import sqlalchemy as sa
from alembic import context, op
from alembic.operations.base import BatchOperations

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

DISCOVERY = "/.well-known/openid-configuration"
DEMO = "urn:loguserapp:demo"


def upgrade() -> None:
    # MySQL keeps what an attempt that broke has made: what is there is not made again.
    at = None if context.is_offline_mode() else sa.inspect(op.get_bind())
    present = {column["name"] for column in at.get_columns("identity")} if at else set()
    if "issuer" not in present:
        op.add_column(
            "identity",
            sa.Column(
                "issuer",
                sa.String(255),
                nullable=False,
                server_default="",
                comment="Who vouches for the person: the provider's issuer (OpenID Connect)",
            ),
        )
    _fill()
    # The new constraint first: MySQL commits each step, and none leaves the table without one.
    unique = {one["name"] for one in at.get_unique_constraints("identity")} if at else set()
    with _constraints() as batch:
        if "uq_identity_issuer" not in unique:
            batch.create_unique_constraint("uq_identity_issuer", ["issuer", "subject"])
        if not at or "uq_identity_subject" in unique:
            batch.drop_constraint("uq_identity_subject", type_="unique")


def downgrade() -> None:
    with _constraints() as batch:
        batch.create_unique_constraint("uq_identity_subject", ["provider", "subject"])
        batch.drop_constraint("uq_identity_issuer", type_="unique")
    op.drop_column("identity", "issuer")


def _constraints() -> AbstractContextManager[BatchOperations]:
    # SQLite changes constraints only by copying the table, to which no other table refers.
    return op.batch_alter_table("identity", table_kwargs={"sqlite_autoincrement": True})


def _fill() -> None:
    unfilled = "issuer = '' AND provider"
    _set_issuer(DEMO, f"{unfilled} = 'oidc' AND subject IN ('demo-sari', 'demo-budi', 'demo-ayu')")
    google = _setting("GOOGLE_DISCOVERY_URL", f"https://accounts.google.com{DISCOVERY}")
    _set_issuer(google.removesuffix(DISCOVERY), f"{unfilled} = 'google'")
    _set_issuer("https://www.facebook.com", f"{unfilled} = 'facebook'")
    oidc = _setting("OIDC_ISSUER", "urn:loguserapp:unconfigured")
    _set_issuer(oidc.rstrip("/"), f"{unfilled} = 'oidc'")


def _set_issuer(issuer: str, where: str) -> None:
    op.execute(
        sa.text(f"UPDATE identity SET issuer = :issuer WHERE {where}").bindparams(issuer=issuer)
    )


def _setting(name: str, default: str) -> str:
    if context.is_offline_mode():
        return default  # the file is for an empty server
    file = os.environ.get(f"{name}_FILE")
    value = Path(file).read_text(encoding="utf-8").strip() if file else os.environ.get(name)
    return value or default  # compose passes on what is not set as an empty string
