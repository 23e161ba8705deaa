"""The operator's process."""

import asyncio
import gc
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from uuid import uuid4

import structlog
from pydantic import ValidationError

from trainyard_controller import log as logs
from trainyard_controller.client import connect
from trainyard_controller.duty import Duty
from trainyard_controller.election import Elector, LeadershipLostError
from trainyard_controller.errors import ApiError
from trainyard_controller.health import Role, StaleError
from trainyard_controller.leases import Leases
from trainyard_controller.lifecycle import StopSignal, serve
from trainyard_controller.parts import Parts
from trainyard_controller.settings import Settings
from trainyard_controller.watches import kopf_settings, registry

START_RETRY_SECONDS = 5.0
"""A start that cannot read what there is tries again: exits would make Kubernetes wait ever longer.
"""

GC_THRESHOLDS = (2_000, 10, 10)
"""Of Python's collector of cycles; by default it looks after 700 new objects, and a page of a
listing has 10,000, none of them in a cycle: it took longer than reading the JSON.
"""

log = structlog.get_logger(__name__)


async def _when_possible(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await step()
        except ApiError as error:
            # One that has just come up refuses, too: it has yet to read Roles and CRDs.
            log.warning("the start waits", error=str(error), retry_in=START_RETRY_SECONDS)
            await asyncio.sleep(START_RETRY_SECONDS)
        else:
            return


async def _elector(stack: AsyncExitStack, settings: Settings, instance: str) -> Elector:
    # Renewals have connections of their own, and never wait behind other requests.
    connection = await stack.enter_async_context(connect())
    return Elector(
        Leases(connection, settings.namespaces[0], settings.lease_name),
        # A container that is started anew has the host name of the one before.
        identity=f"{instance}_{uuid4()}",
        duration=settings.lease_seconds,
    )


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM. Raises where it cannot go on."""
    stop = StopSignal()
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connect())
        instance = socket.gethostname()
        elector = await _elector(stack, settings, instance) if settings.lease_name else None
        parts = Parts(settings, connection, elector, instance=instance)
        await stack.enter_async_context(parts.health.serve(settings.metrics_port))
        if await stop.comes_before(_when_possible(parts.prime)):
            return
        parts.health.role = Role.STANDBY
        duty = Duty(
            elector=elector,
            queues=(parts.queue, parts.model_queue),
            listed=parts.clock.listed,
            begin=lambda: _when_possible(parts.begin),
            workers=parts.workers,
            helpers=parts.helpers,
        )
        log.info("started", namespaces=settings.namespaces, lease=settings.lease_name)
        await serve(
            stop,
            duty,
            (parts.resync.run(), parts.health.run()),
            registry=registry(
                parts.cache, parts.queue, parts.models, parts.model_queue, parts.clock
            ),
            settings=kopf_settings(),
            namespaces=settings.namespaces,
            instance=instance,
        )
        log.info("stopped")


def main() -> None:
    """Start the operator; its settings come from the environment."""
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit(
            "\n".join(
                f"TRAINYARD_{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()
            )
        )
    logs.configure(settings.log_level)
    # What has been imported stays, and is not looked at again.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        asyncio.run(run(settings))
    except StaleError as error:
        log.critical("stale, giving up", problem=str(error))
        sys.exit(1)
    except LeadershipLostError as error:
        log.critical("leadership lost, giving up", problem=str(error))
        sys.exit(1)
    except Exception:
        log.critical("cannot go on", exc_info=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
