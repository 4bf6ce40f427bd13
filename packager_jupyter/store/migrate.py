"""Bringing a database to the schema of this version with Alembic, without an ini file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from packager_jupyter.errors import StoreCorruptError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Engine

SCRIPTS = Path(__file__).parent / "migrations"
POSTGRES_LOCK = 0x7061636B61676572
"""Key of the advisory lock under which one process at a time migrates (any number will do)."""


def alembic_config() -> Config:
    """Return the Alembic configuration that points at our migration scripts."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    return config


def upgrade(engine: Engine) -> None:
    """Run every missing migration in one transaction; of several processes, one does.

    Raises
    ------
    StoreCorruptError
        The database carries a revision that this version does not know: a newer one wrote it.
    """
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = alembic_config()
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return
    if current is not None and current not in known:
        raise StoreCorruptError(
            "The database was written by a newer version of packager_jupyter.",
            remedy="Install that version or a later one; nothing was changed.",
            details=f"revision {current}",
        )
    with (
        engine.connect().execution_options(packager_write=True) as connection,
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            # Held to the end of the transaction; SQLite's own write lock has that effect.
            connection.execute(select(func.pg_advisory_xact_lock(POSTGRES_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
