"""The program `trainyard-api`."""

import asyncio
import socket
import sys
from typing import TypeVar

import structlog
import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError

from trainyard_api import log_output as logs
from trainyard_api.app import create_app
from trainyard_api.cluster import Cluster
from trainyard_api.database import DatabaseUnavailableError
from trainyard_api.database.migrate import migrate
from trainyard_api.http.patience import PatientProtocol
from trainyard_api.settings import DatabaseSettings, Settings, explain_settings
from trainyard_api.store import ModelStore

_START_FAILED = 3
_GRACE_SECONDS = 20
_KEEP_ALIVE_SECONDS = 75


SettingsT = TypeVar("SettingsT", bound=DatabaseSettings)


def main() -> None:
    """`trainyard-api` serves, `trainyard-api migrate` brings the database up to date."""
    logs.configure("info")
    match sys.argv[1:]:
        case []:
            serve(_read(Settings))
        case ["migrate"]:
            migrate_database(_read(DatabaseSettings))
        case _:
            sys.exit("usage: trainyard-api [migrate]")


def _read(kind: type[SettingsT]) -> SettingsT:
    try:
        return kind()
    except ValidationError as error:
        problem = explain_settings(error)
    except SettingsError as error:
        problem = f"{error}: it must be JSON"
    structlog.get_logger().critical("refused to start", problem=problem)
    sys.exit(2)


def migrate_database(settings: DatabaseSettings) -> None:
    """Upgrade the tables, and wait for a database that does not answer yet."""
    try:
        migrate(settings.database_url.get_secret_value())
    except DatabaseUnavailableError as error:
        structlog.get_logger().critical("the database was not migrated", problem=str(error))
        sys.exit(1)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM, then finish the requests at hand."""
    log = structlog.get_logger()
    logs.configure(settings.log_level)
    if settings.train_auth == "open":
        log.warning("the /train paths need no token", setting="TRAINYARD_API_TRAIN_AUTH=open")

    app = create_app(
        settings,
        Cluster(settings.namespace),
        ModelStore(
            bucket=settings.bucket,
            endpoint_url=settings.s3_endpoint_url,
            region=settings.s3_region,
        ),
    )
    config = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104 - a Service leads here
        port=settings.port,
        http=PatientProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    server = _Server(config, closing=app.state.closing)
    server.run()
    if not server.started:
        sys.exit(_START_FAILED)


class _Server(uvicorn.Server):
    """Tells streams to end, which would else be waited for and then cut off."""

    def __init__(self, config: uvicorn.Config, *, closing: asyncio.Event) -> None:
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, and end those there are."""
        self._closing.set()
        await super().shutdown(sockets)


if __name__ == "__main__":
    main()
