"""The program `trainyard-api`."""

import sys

import structlog
import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError

from trainyard_api import logs
from trainyard_api.app import create_app
from trainyard_api.cluster import Cluster
from trainyard_api.patience import PatientProtocol
from trainyard_api.settings import Settings, explain_settings
from trainyard_api.store import ModelStore

_GRACE_SECONDS = 20
_KEEP_ALIVE_SECONDS = 75


def main() -> None:
    """Serve until SIGTERM, then finish the requests at hand."""
    logs.configure("info")
    log = structlog.get_logger()
    try:
        settings = Settings()
    except ValidationError as error:
        log.critical("refused to start", problem=explain_settings(error))
        sys.exit(2)
    except SettingsError as error:
        log.critical("refused to start", problem=f"{error}: it must be JSON")
        sys.exit(2)
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
    uvicorn.run(
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


if __name__ == "__main__":
    main()
