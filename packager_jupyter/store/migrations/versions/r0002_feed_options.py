"""Options of feeds (immutability, limits), and the bytes that feeds with a limit hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add them; feeds that exist keep everything as it is."""
    op.add_column("feed", sa.Column("options", sa.JSON))
    op.create_table(
        "feed_usage",
        sa.Column("ecosystem", sa.String(40), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("project", sa.String(512), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("ecosystem", "name", "project", name="pk_feed_usage"),
    )
