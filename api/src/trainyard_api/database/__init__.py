"""Postgres: who asked for what. Nothing that trains needs it."""

from trainyard_api.database.engine import Database, DatabaseUnavailableError

__all__ = ["Database", "DatabaseUnavailableError"]
