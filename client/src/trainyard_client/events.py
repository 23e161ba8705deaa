"""Server-sent events that go on where they broke off."""

import time
from collections.abc import Iterator
from typing import Final

from httpx_sse import EventSource, ServerSentEvent, SSEError

from trainyard_client.errors import UnavailableError, UnreachableError
from trainyard_client.transport import Query, Transport

END: Final = "end"
"""Name of the event after which nothing follows."""
_FAILURES: Final = 5
_PAUSE_SECONDS: Final = 0.5
_LASTED_SECONDS: Final = 30.0


class NoEventsError(Exception):
    """There is no stream of events to be had here, such as behind a proxy that allows none."""


def events(
    transport: Transport, path: str, query: Query | None = None
) -> Iterator[ServerSentEvent]:
    """The events up to `end`, which is not among them.

    A connection that breaks is made anew from the last event on. Raises `NoEventsError` where that
    has failed several times in a row, and `ApiError` as the API answers.
    """
    last_id, failures = "", 0
    while failures < _FAILURES:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        started, pause = time.monotonic(), _PAUSE_SECONDS
        try:
            with transport.stream(path, query, headers) as response:
                for event in EventSource(response).iter_sse():
                    failures, last_id = 0, event.id or last_id
                    if event.event == END:
                        return
                    yield event
        except SSEError as error:
            raise NoEventsError(str(error)) from error
        except UnavailableError as error:
            pause = error.retry_after or _PAUSE_SECONDS
        except UnreachableError:
            pass
        # Also after a stream that ended without `end`: a server that is stopped ends them all.
        failures = 1 if time.monotonic() - started > _LASTED_SECONDS else failures + 1
        time.sleep(pause * failures)
    raise NoEventsError(f"{transport.url}{path} breaks off time and again")
