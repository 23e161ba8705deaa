"""The API server as one operator sees it: every fault of the way in between."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass

from aiohttp import ClientError, ClientResponse, web
from trainyard_schema import names

from .background import Background
from .injection import (
    WRITES,
    Answer,
    Cut,
    Delay,
    Deliveries,
    Fault,
    Faults,
    Kill,
    Request,
    WatchEvent,
    at_once,
    no_fault,
)
from .upstream import Upstream, lines

_HOP_BY_HOP = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}


@dataclass(frozen=True)
class _Reply:
    status: int
    content_type: str
    body: bytes

    def response(self) -> web.Response:
        headers = {"Content-Type": self.content_type}
        return web.Response(status=self.status, headers=headers, body=self.body)


class Proxy:
    """Numbers the writes of one operator, and does to its requests and watches what it is told.

    `requests` and `events` may be set from any thread at any time.
    """

    def __init__(self, background: Background, url: str) -> None:
        self.requests: Faults = no_fault
        self.events: Deliveries = at_once
        self.kill: Callable[[], None] = lambda: None
        """Ends the operator's process, there and then."""
        self.writes: list[Request] = []
        self.injected: list[Fault] = []
        self._background = background
        self._upstream = background.run(self._open(url))
        self._down = False
        self._stale: set[str] | None = None
        self._lists: dict[str, _Reply] = {}
        self._streams: dict[web.StreamResponse, str] = {}
        self._silent: set[web.StreamResponse] = set()
        self._connections: set[asyncio.Transport] = set()
        self._runner = background.run(self._serve())
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _open(self, url: str) -> Upstream:
        return Upstream(url, token="")

    async def _serve(self) -> web.AppRunner:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            shutdown_timeout=0,
            handler_cancellation=True,
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    def close(self) -> None:
        self._background.run(self._close())

    async def _close(self) -> None:
        self._break()
        await self._runner.cleanup()
        await self._upstream.close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Connections are broken, and new ones break as soon as something is asked."""
        self._down = True
        self._background.loop.call_soon_threadsafe(self._break)
        try:
            yield
        finally:
            self._down = False

    @contextmanager
    def stale(self, *resources: str) -> Iterator[None]:
        """Lists of all of these show what they showed when they were last asked for."""
        self._stale = set(resources)
        try:
            yield
        finally:
            self._stale = None

    def watches(self) -> list[str]:
        """The resources that are being watched."""
        return sorted(self._streams.values())

    def silence(self) -> None:
        """The watches that are open say nothing any more, and do not end either."""
        self._silent.update(self._streams)

    def expire(self, resource: str) -> None:
        """End the watches of a resource as the API server does when it has forgotten what was."""
        status = Answer(410, "Expired").document()
        line = json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"

        async def end() -> None:
            for stream in [one for one, kind in self._streams.items() if kind == resource]:
                await stream.write(line)
                await stream.write_eof()

        self._background.run(end())

    def _break(self) -> None:
        for transport in list(self._connections):
            transport.abort()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            return web.Response(status=500)
        if self._down:
            return self._broken(transport)
        self._connections.add(transport)
        try:
            return await self._answer(request, transport)
        except ClientError:
            return self._broken(transport)
        finally:
            self._connections.discard(transport)

    def _broken(self, transport: asyncio.Transport) -> web.Response:
        transport.abort()
        return web.Response(status=502)  # nobody hears it

    async def _answer(
        self, request: web.Request, transport: asyncio.Transport
    ) -> web.StreamResponse:
        seen = self._take(request)
        fault = self.requests(seen)
        if fault is not None:
            self.injected.append(fault)
        if isinstance(fault, Answer):
            return _answered(fault)
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, Kill) and not fault.after:
            self.kill()
            return self._broken(transport)
        if seen.is_watch:
            return await self._watch(request, seen)
        # What is on its way arrives, though whoever sent it may be gone.
        reply = await asyncio.shield(asyncio.ensure_future(self._forward(request, seen)))
        if isinstance(fault, Kill):
            self.kill()
        if self._down or isinstance(fault, Kill | Cut):
            return self._broken(transport)
        return reply.response()

    def _take(self, request: web.Request) -> Request:
        is_write = request.method in WRITES
        seen = Request(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            number=len(self.writes) + 1 if is_write else None,
        )
        if is_write:
            self.writes.append(seen)
        return seen

    async def _forward(self, request: web.Request, seen: Request) -> _Reply:
        is_stale = self._stale is not None and seen.resource in self._stale
        if is_stale and (remembered := self._lists.get(request.path_qs)) is not None:
            return remembered
        body = await request.read() or None  # of b"" aiohttp says that it is an octet stream
        async with self._request(request, body) as response:
            reply = _Reply(response.status, response.content_type, await response.read())
        if seen.is_list and response.status == 200 and names.UID_LABEL not in request.path_qs:
            self._lists[request.path_qs] = reply
        return reply

    def _request(
        self, request: web.Request, body: bytes | None
    ) -> AbstractAsyncContextManager[ClientResponse]:
        kept = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
        headers = {**kept, "Accept-Encoding": "identity"}
        return self._upstream.session.request(
            request.method, request.rel_url, data=body, headers=headers
        )

    async def _watch(self, request: web.Request, seen: Request) -> web.StreamResponse:
        async with self._request(request, None) as upstream:
            if upstream.status != 200:
                return _Reply(
                    upstream.status, upstream.content_type, await upstream.read()
                ).response()
            stream = web.StreamResponse(headers={"Content-Type": "application/json"})
            stream.force_close()  # else the next request would wait for the end of this one
            await stream.prepare(request)
            self._streams[stream] = seen.resource
            try:
                await self._deliver(upstream, stream, seen.resource)
            except* (ConnectionError, RuntimeError):
                pass  # the operator has gone, or was told that it is over
            finally:
                del self._streams[stream]
        return stream

    async def _deliver(
        self, upstream: ClientResponse, stream: web.StreamResponse, resource: str
    ) -> None:
        async with asyncio.TaskGroup() as held_back:
            async for line in lines(upstream.content):
                told = json.loads(line)
                event = WatchEvent(resource=resource, type=told["type"], document=told["object"])
                for delay in () if stream in self._silent else self.events(event):
                    if delay:
                        held_back.create_task(_late(stream, line, delay))
                    else:
                        await stream.write(line + b"\n")


def _answered(answer: Answer) -> web.Response:
    seconds = answer.retry_after
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    return web.json_response(answer.document(), status=answer.status, headers=headers)


async def _late(stream: web.StreamResponse, line: bytes, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await stream.write(line + b"\n")
