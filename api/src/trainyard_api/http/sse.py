"""Streams of server-sent events: kept alive, and ended with the server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Final

import anyio
from fastapi import Depends, Header, Request
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.types import Message, Receive, Scope, Send

_KEEP_ALIVE_SECONDS: Final = 15.0
_LONGEST_SECONDS: Final = 3600.0
"""A token may have expired by then. Clients connect again, and go on where they were."""

LastEventId = Annotated[
    str | None,
    Header(max_length=128, description="Id of the last event that was received; sent by browsers."),
]

DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events.",
        "content": {"text/event-stream": {}},  # OpenAPI 3.1 has no words for events
    }
}
"""The `responses` of an operation that answers by an `EventStream`."""


async def _closing(request: Request) -> asyncio.Event:
    closing: asyncio.Event = request.app.state.closing
    return closing


ClosingDep = Annotated[asyncio.Event, Depends(_closing)]
"""Set when the server begins to stop."""


def end_event(data: str) -> bytes:
    """The last event of a stream: nothing follows, and there is no need to connect again."""
    return format_sse_event(event="end", data_str=data)


class EventStream(EventSourceResponse):
    """Sends whole events as they come.

    What a reader does not take in time stays where it comes from: `events` is not asked for more
    until the connection has taken what there is.
    """

    def __init__(self, events: AsyncGenerator[bytes], *, closing: asyncio.Event) -> None:
        # Proxies such as nginx would collect events before they pass them on.
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._events = events
        self._closing = closing
        self._idle = True

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """The ASGI interface."""

        async def send_noting(message: Message) -> None:
            self._idle = False
            await send(message)

        async with anyio.create_task_group() as tasks:

            async def gone() -> None:
                await self.listen_for_disconnect(receive)
                tasks.cancel_scope.cancel()

            async def alive() -> None:
                await self._keep_alive(send)
                tasks.cancel_scope.cancel()

            tasks.start_soon(gone)
            tasks.start_soon(alive)
            async with aclosing(self._events):
                await self.stream_response(send_noting)
            tasks.cancel_scope.cancel()
            return
        # Cut off from here. The client must not take the end for a broken connection.
        await send(_body(b"", more=False))

    async def _keep_alive(self, send: Send) -> None:
        """Until the stream has to end."""
        end = asyncio.get_running_loop().time() + _LONGEST_SECONDS
        while asyncio.get_running_loop().time() < end:
            try:
                async with asyncio.timeout(_KEEP_ALIVE_SECONDS):
                    await self._closing.wait()
            except TimeoutError:
                if self._idle:
                    await send(
                        {"type": "http.response.body", "body": KEEPALIVE_COMMENT, "more_body": True}
                    )
                self._idle = True
            else:
                return


def _body(content: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}
