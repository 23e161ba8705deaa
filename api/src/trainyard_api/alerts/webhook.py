"""Posts alerts to one URL."""

import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from types import TracebackType
from typing import Final, Self

import aiohttp

from trainyard_api.alerts.signature import sign
from trainyard_api.database.tables import Alert

TIMEOUT_SECONDS: Final = 15.0
"""Of one delivery as a whole, as the specification recommends."""
_KEPT_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one delivery."""

    status: int | None
    """None: there was no answer."""
    said: str = ""
    """The beginning of the answer, or why there is none."""
    retry_after_seconds: int = 0

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken the alert."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def error(self) -> str | None:
        """What went wrong, in one line."""
        if self.delivered:
            return None
        if self.status is None:
            return self.said
        hint = "; redirects are not followed" if 300 <= self.status < 400 else ""
        said = f": {self.said}" if self.said else ""
        return f"answered {self.status}{hint}{said}"[:_KEPT_BYTES]


def identifier_of(alert: Alert) -> str:
    """The header `webhook-id`: the same in each delivery of an alert."""
    return f"msg_{alert.id.hex}"


def body_of(alert: Alert) -> bytes:
    """The payload: the same bytes in each delivery of an alert."""
    payload = {
        "type": alert.type,
        "timestamp": alert.occurred_at.isoformat().replace("+00:00", "Z"),
        "data": alert.data,
    }
    return json.dumps(payload, separators=(",", ":")).encode()


class Webhook:
    """One receiver. To be entered once; its URL and its secret are in no log and no error."""

    def __init__(self, url: str, key: bytes, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._url = url
        self._key = key
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            # A small answer must not become a large one.
            auto_decompress=False,
            headers={
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                "User-Agent": f"trainyard-api/{version('trainyard-api')}",
            },
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, identifier: str, body: bytes) -> Reply:
        """Deliver once. Whatever goes wrong is in the reply."""
        assert self._session is not None
        timestamp = int(time.time())
        headers = {
            "webhook-id": identifier,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(
                self._key, identifier=identifier, timestamp=timestamp, body=body
            ),
        }
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return Reply(
                    response.status,
                    _text(await response.content.read(_KEPT_BYTES)),
                    _seconds(response.headers.get("Retry-After", "")),
                )
        except TimeoutError:
            return Reply(None, f"no answer within {self._timeout_seconds:g} s")
        except (aiohttp.ClientError, OSError) as error:
            # The message may have the URL, which may hold a secret of the receiver's.
            return Reply(None, f"no answer: {type(error).__name__}")


def is_gone(reply: Reply) -> bool:
    """Whether the receiver wants no more of this."""
    return reply.status == HTTPStatus.GONE


def _text(body: bytes) -> str:
    """One line, whatever the receiver sent."""
    text = body.decode(errors="replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _seconds(header: str) -> int:
    return int(header) if header.isascii() and header.isdecimal() and len(header) < 10 else 0
