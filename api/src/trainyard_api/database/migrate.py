"""Bring the tables to what this version of the API needs: `trainyard-api migrate`."""

from typing import Final

import stamina
import structlog
from alembic import command
from alembic.config import Config
from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError

from trainyard_api.database.engine import DatabaseUnavailableError

log = structlog.get_logger()

_WAIT_SECONDS: Final = 120.0


def configuration(url: str) -> Config:
    """Alembic's configuration, for the migrations inside this package."""
    config = Config()
    config.set_main_option("script_location", "trainyard_api.database:migrations")
    config.attributes["url"] = url
    return config


@stamina.retry(on=DatabaseUnavailableError, attempts=None, timeout=_WAIT_SECONDS, wait_max=5.0)
def migrate(url: str) -> None:
    """Upgrade to the newest revision; nothing is done where it is there already.

    Several at once are safe: one works, the others wait for it. A database that does not answer
    yet is waited for. Raises `DatabaseUnavailableError` where that is of no use.

    The tables of a newer version stay as they are: revisions add and never take away what the
    version before needs, so that a release can be rolled back.
    """
    try:
        command.upgrade(configuration(url), "head")
    except CommandError as error:
        if not isinstance(error.__cause__, ResolutionError):
            raise
        log.warning("the database is of a newer version: it is left as it is", found=str(error))
    else:
        log.info("the database is up to date")
