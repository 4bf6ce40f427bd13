"""The tables: what is small and mutable. Who writes them: `sources` and `shares`, nobody else.

Times are whole Unix seconds, UTC. Secrets never stand here in the clear: capabilities and tokens
as SHA-256 of 192 and more random bits, passwords as argon2id, share tokens sealed with a key that
lives outside the database. Secrets of sources are not here at all (see `sources.secrets`).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts a row id only for INTEGER; everywhere else the audit outgrows 32 bits one day.
_RowId = BigInteger().with_variant(Integer, "sqlite")

source = Table(
    "source",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("url", Text, nullable=False),
    Column("options", JSON, nullable=False),
    Column("credential_kind", String(32), nullable=False),
    Column("credential_ref", Text),
    Column("credential_hint", String(16)),
    Column("created_s", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
)

share = Table(
    "share",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),
    Column("token_sealed", LargeBinary, nullable=False),
    Column("token_prefix", String(16), nullable=False),
    Column("slug", String(80)),
    Column("package", String(128), nullable=False),
    Column("version", String(128)),  # NULL: always the latest
    Column("owner", String(256), nullable=False),
    Column("description", Text, nullable=False),
    Column("password_hash", Text),
    Column("capability_hash", LargeBinary(32)),
    Column("epoch", Integer, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("starts_s", BigInteger),
    Column("expires_s", BigInteger),
    Column("max_downloads", BigInteger),
    Column("uses", BigInteger, nullable=False),
    Column("last_used_s", BigInteger),
    Column("revoked_s", BigInteger),
    Column("audience", JSON, nullable=False),
    Column("path_filter", Text),
    Column("revision", Integer, nullable=False),
    Index(None, "owner"),
)

token = Table(
    "token",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("secret_hash", LargeBinary(32), nullable=False),
    Column("owner", String(256), nullable=False),
    Column("description", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("expires_s", BigInteger, nullable=False),
    Column("last_used_s", BigInteger),
    Column("revoked_s", BigInteger),
    Index(None, "owner"),
)

feed = Table(
    "feed",
    metadata,
    Column("ecosystem", String(40), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("is_anonymous_read", Integer, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("options", JSON),
)

# Bytes that a feed with a limit holds; project "" is the feed as a whole (see registries.quota).
feed_usage = Table(
    "feed_usage",
    metadata,
    Column("ecosystem", String(40), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("project", String(512), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("at_s", BigInteger, nullable=False),
    Column("principal", String(256), nullable=False),
    Column("ip", String(64)),
    Column("action", String(64), nullable=False),
    Column("object", String(256), nullable=False),
    Column("result", String(64), nullable=False),
    Column("request_id", String(64)),
    Index(None, "object", "at_s"),
)
