"""How long a connection may take: what uvicorn itself sets no limit to.

uvicorn waits for ever for the rest of a request's head, for the rest of a body that nobody reads
any more, and for a client that takes no bytes of its answer. A few hundred such connections would
use up the process's file descriptors, and cost their owner nothing.
"""

import asyncio
import socket
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 20.0
UNSENT_SECONDS: Final = 60.0


class PatientProtocol(H11Protocol):
    """Closes a connection whose client is too slow; bodies that are read are `LimitBody`'s."""

    head_seconds = HEAD_SECONDS
    unsent_seconds = UNSENT_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Start to wait for the first head."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None:
            # The kernel drops a connection whose client takes nothing of what we have sent, or
            # acknowledges nothing of it, for so long.
            milliseconds = round(self.unsent_seconds * 1000)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a head that has begun; each byte of it is no new start."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the rest of a body that is not looked at any more."""
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        if self._waits_for_the_client():
            if self._patience is None:
                self._patience = self.loop.call_later(self.head_seconds, self._close)
        else:
            self._rest()

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _waits_for_the_client(self) -> bool:
        # Between two requests, uvicorn's keep-alive timer runs until the next byte.
        if self.timeout_keep_alive_task is not None and self.conn.their_state is h11.IDLE:
            return False
        answered = self.cycle is None or self.cycle.response_complete
        return answered and self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _close(self) -> None:
        self._patience = None
        if not self.transport.is_closing():
            self.logger.debug("a client was too slow")
            self.transport.close()
