"""Sources, shares, tokens, feeds and audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables of the first release."""
    op.create_table(
        "source",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("credential_kind", sa.String(32), nullable=False),
        sa.Column("credential_ref", sa.Text),
        sa.Column("credential_hint", sa.String(16)),
        sa.Column("created_s", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_source"),
    )
    op.create_table(
        "share",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("token_sealed", sa.LargeBinary, nullable=False),
        sa.Column("token_prefix", sa.String(16), nullable=False),
        sa.Column("slug", sa.String(80)),
        sa.Column("package", sa.String(128), nullable=False),
        sa.Column("version", sa.String(128)),
        sa.Column("owner", sa.String(256), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("capability_hash", sa.LargeBinary(32)),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("created_s", sa.BigInteger, nullable=False),
        sa.Column("starts_s", sa.BigInteger),
        sa.Column("expires_s", sa.BigInteger),
        sa.Column("max_downloads", sa.BigInteger),
        sa.Column("uses", sa.BigInteger, nullable=False),
        sa.Column("last_used_s", sa.BigInteger),
        sa.Column("revoked_s", sa.BigInteger),
        sa.Column("audience", sa.JSON, nullable=False),
        sa.Column("path_filter", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_share"),
        sa.UniqueConstraint("token_hash", name="uq_share_token_hash"),
    )
    op.create_index("ix_share_owner", "share", ["owner"])
    op.create_table(
        "token",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("owner", sa.String(256), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_s", sa.BigInteger, nullable=False),
        sa.Column("expires_s", sa.BigInteger, nullable=False),
        sa.Column("last_used_s", sa.BigInteger),
        sa.Column("revoked_s", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
    )
    op.create_index("ix_token_owner", "token", ["owner"])
    op.create_table(
        "feed",
        sa.Column("ecosystem", sa.String(40), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("is_anonymous_read", sa.Integer, nullable=False),
        sa.Column("created_s", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("ecosystem", "name", name="pk_feed"),
    )
    op.create_table(
        "audit",
        sa.Column("id", _RowId, autoincrement=True, nullable=False),
        sa.Column("at_s", sa.BigInteger, nullable=False),
        sa.Column("principal", sa.String(256), nullable=False),
        sa.Column("ip", sa.String(64)),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("object", sa.String(256), nullable=False),
        sa.Column("result", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_object_at_s", "audit", ["object", "at_s"])
