"""JSON lines on standard output, for structlog's loggers and the standard library's alike."""

import logging
import sys
from contextlib import AbstractContextManager

import structlog
from structlog.typing import EventDict, WrappedLogger

REFERENCE = ("kind", "namespace", "name", "uid")
"""What each line about an object says of it."""


def about(kind: str, key: tuple[str, str], uid: str | None) -> AbstractContextManager[None]:
    """A block in which every line that this task logs has the reference of one object."""
    values = (kind, *key, uid)
    return structlog.contextvars.bound_contextvars(**dict(zip(REFERENCE, values, strict=True)))


def _flatten_kopf(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Kopf says in an attribute of the record which object it speaks of."""
    if reference := getattr(event.get("_record"), "k8s_ref", None):
        event.update((name, reference.get(name)) for name in REFERENCE)
    return event


def configure(level: str) -> None:
    """Send all logging of the process through one JSON formatter."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _flatten_kopf],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Kopf tells of each event that a handler has taken note of.
    logging.getLogger("kopf.objects").setLevel(max(logging.WARNING, root.level))
    # botocore tells where it found credentials.
    logging.getLogger("botocore").setLevel(max(logging.WARNING, root.level))
