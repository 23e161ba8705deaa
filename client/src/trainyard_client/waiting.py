"""Follow trainings until they end: by events, or by asking again where there are none."""

import queue
import time
from collections.abc import Iterator, Sequence
from threading import Event, Thread
from typing import Final

import httpx

from trainyard_client.errors import NotFoundError, TrainyardError, WaitTimeoutError
from trainyard_client.events import NoEventsError, events
from trainyard_client.transport import Transport
from trainyard_client.views import Job

POLL_SECONDS: Final = 2.0


def follow(transport: Transport, path: str) -> Iterator[Job]:
    """A training as it is now, and after each change, up to its end."""
    last: Job | None = None
    for job in _states(transport, path):
        # A stream begins with the state of the moment, which may be known.
        if job != last:
            last = job
            yield job
        if job.ended:
            return


def _states(transport: Transport, path: str) -> Iterator[Job]:
    yield Job.model_validate(transport.get(path).json())
    try:
        for event in events(transport, f"{path}/events"):
            if event.event == "job":
                yield Job.model_validate_json(event.data)
    except (NoEventsError, NotFoundError):
        pass
    # A job that has been deleted is told by the first question.
    yield from _poll(transport, path)


def _poll(transport: Transport, path: str) -> Iterator[Job]:
    tag = ""
    while True:
        answer = transport.get(path, headers={"If-None-Match": tag} if tag else None)
        if answer.status_code != httpx.codes.NOT_MODIFIED:
            tag = answer.headers.get("ETag", "")
            yield Job.model_validate(answer.json())
        time.sleep(POLL_SECONDS)


def watch(transport: Transport, paths: Sequence[str], timeout: float | None) -> Iterator[Job]:
    """Several trainings, each as it is now and after each change, until all have ended.

    Raises `WaitTimeoutError` after `timeout` seconds, and the first error of any of them.
    """
    end = None if timeout is None else time.monotonic() + timeout
    news: queue.SimpleQueue[Job | Exception | None] = queue.SimpleQueue()
    unwanted = Event()

    def tell(path: str) -> None:
        try:
            for job in follow(transport, path):
                news.put(job)
                if unwanted.is_set():
                    return
            news.put(None)
        except Exception as error:
            news.put(error)

    for path in paths:
        # A stream may be silent for long: such a thread must not keep the program alive.
        Thread(target=tell, args=(path,), daemon=True).start()
    left = len(paths)
    try:
        while left:
            try:
                item = news.get(timeout=None if end is None else max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise WaitTimeoutError(f"not ended within {timeout:g} s") from None
            if isinstance(item, Job):
                yield item
            elif item is None:
                left -= 1
            elif isinstance(item, TrainyardError):
                raise item
            else:
                raise TrainyardError(str(item)) from item
    finally:
        unwanted.set()
