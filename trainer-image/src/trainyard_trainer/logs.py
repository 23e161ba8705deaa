"""JSON logs, to standard output and into the file that is filed with the version."""

import sys
from pathlib import Path
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


def configure(log_file: Path) -> None:
    """Send every log line of this process to standard output and to `log_file`."""
    tee = _Tee(sys.stdout, log_file.open("w", encoding="utf-8", buffering=1))
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
