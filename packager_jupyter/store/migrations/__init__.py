"""Alembic's scripts: ``env.py`` and one file per schema revision."""
