"""JSON logs."""

from typing import TextIO

import structlog


class _Tee:
    """Both at once, so that what `kubectl logs` shows is what the version keeps."""

    def __init__(self, *streams: TextIO) -> None:
        self._streams = streams

    def write(self, text: str) -> int:
        for stream in self._streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        for stream in self._streams:
            stream.flush()


def configure(*streams: TextIO) -> None:
    """Send every log line of this process to all of these."""
    tee = _Tee(*streams)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Plain text: a traceback with the values of local variables could show credentials.
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=tee),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
